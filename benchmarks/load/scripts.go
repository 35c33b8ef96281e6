package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// script is how one path answers, as the file given with -scripts says it (benchmarks/scripts.py writes it).
type script struct {
	Status int      `json:"status"`
	Reply  string   `json:"reply"`   // the whole answer; empty: always a stream
	Events []string `json:"events"`  // the stream; empty: never one
	PaceMs float64  `json:"pace_ms"` // between events
	Cut    bool     `json:"cut"`     // the connection breaks after the last event
}

// scripted is a script made ready to be written.
type scripted struct {
	reply  []byte
	events [][]byte
	pace   time.Duration
	cut    bool
}

func readScripts(file string) (map[string]*scripted, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var scripts map[string]script
	if err := json.Unmarshal(data, &scripts); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	ready := make(map[string]*scripted, len(scripts))
	for path, s := range scripts {
		ready[path] = s.ready()
	}
	return ready, nil
}

func (s script) ready() *scripted {
	made := &scripted{pace: duration(s.PaceMs / 1000), cut: s.Cut}
	if s.Reply != "" {
		made.reply = wholeAnswer(s.Status, s.Reply)
	}
	for _, event := range s.Events {
		made.events = append(made.events, fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event))
	}
	if last := len(made.events) - 1; last >= 0 && !s.Cut {
		made.events[last] = append(made.events[last], "0\r\n\r\n"...)
	}
	return made
}

// streams: whether this request is answered as a stream.
func (s *scripted) streams(body []byte) bool {
	return len(s.events) > 0 && (s.reply == nil || says(body, "stream", "true"))
}

func wholeAnswer(status int, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d Scripted\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n%s",
		status, len(body), commonHeaders, body)
}

// pathOf is the target of the request line.
func pathOf(head []byte) []byte {
	_, rest, _ := bytes.Cut(head, []byte(" "))
	path, _, _ := bytes.Cut(rest, []byte(" "))
	return path
}
