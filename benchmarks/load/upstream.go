package main

import (
	"bytes"
	"fmt"
	"net"
	"time"
)

// upstream answers every POST like a model provider: one fixed chat completion, or one fixed stream of events when
// the body asks for a stream. Events go out back to back, or one per pace when the body's `user` is "paced": a field
// that gateways hand on untouched, so one upstream serves both kinds of run. Paths that have a script of their own are
// answered by that instead.
type upstream struct {
	plain   scripted
	head    []byte
	pace    time.Duration
	scripts map[string]*scripted
}

const replyBody = `{"id":"chatcmpl-B7k2MnQ4xYtR9wVzLpE3aHs6","object":"chat.completion","created":1790000000,` +
	`"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":` +
	`"A lighthouse keeper once counted every ship that passed and wrote each one down.","refusal":null},` +
	`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":64,"completion_tokens":16,` +
	`"total_tokens":80,"prompt_tokens_details":{"cached_tokens":0}},"system_fingerprint":"fp_9c1e7b24d0"}`

const chunkHead = `{"id":"chatcmpl-B7k2MnQ4xYtR9wVzLpE3aHs6","object":"chat.completion.chunk","created":1790000000,` +
	`"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_9c1e7b24d0",`

const commonHeaders = "x-request-id: req_5d41402abc4b2a76b9719d91\r\nopenai-processing-ms: 9\r\n"

func newUpstream(events int, pace time.Duration, scripts map[string]*scripted) *upstream {
	u := &upstream{pace: pace, scripts: scripts}
	told := script{Status: 200, Reply: replyBody}
	u.head = []byte("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n" +
		"transfer-encoding: chunked\r\n" + commonHeaders + "\r\n")
	add := func(data string) { told.Events = append(told.Events, "data: "+data+"\n\n") }
	words := events - 3 // the other three: the finish, the usage, [DONE]
	for i := range words {
		role := ""
		if i == 0 {
			role = `"role":"assistant",`
		}
		add(fmt.Sprintf(`%s"choices":[{"index":0,"delta":{%s"content":" ship %02d"},"logprobs":null,"finish_reason":null}],"usage":null}`,
			chunkHead, role, i))
	}
	add(chunkHead + `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}`)
	add(fmt.Sprintf(`%s"choices":[],"usage":{"prompt_tokens":64,"completion_tokens":%d,"total_tokens":%d}}`,
		chunkHead, words, 64+words))
	add("[DONE]")
	u.plain = *told.ready()
	return u
}

func runUpstream(address string, events int, pace time.Duration, file string) error {
	if events < 4 {
		return fmt.Errorf("a stream has at least 4 events, not %d", events)
	}
	scripts, err := readScripts(file)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	announce(listener.Addr().String())
	u := newUpstream(events, pace, scripts)
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go u.serve(connection)
	}
}

// serve answers the requests of one connection until the caller closes it or sends what is not understood.
func (u *upstream) serve(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 64<<10)
	filled := 0
	for {
		size, body := wholeRequest(buffer[:filled])
		if size == 0 {
			if filled == len(buffer) {
				return // a benchmark's request is a kilobyte
			}
			n, err := connection.Read(buffer[filled:])
			if err != nil {
				return
			}
			filled += n
			continue
		}
		answer, pace := u.scripts[string(pathOf(buffer[:size]))], time.Duration(0)
		if answer != nil {
			pace = answer.pace
		} else {
			answer = &u.plain
			if says(body, "user", `"paced"`) {
				pace = u.pace
			}
		}
		streamed := answer.streams(body)
		filled = copy(buffer, buffer[size:filled])
		if !streamed {
			if _, err := connection.Write(answer.reply); err != nil {
				return
			}
		} else if u.stream(connection, answer, pace) != nil || answer.cut {
			return
		}
	}
}

// stream writes each event with a call of its own; the pace is kept from the start, so that lateness does not add up.
func (u *upstream) stream(connection net.Conn, answer *scripted, pace time.Duration) error {
	if _, err := connection.Write(u.head); err != nil {
		return err
	}
	begun := time.Now()
	for i, event := range answer.events {
		if pace > 0 {
			time.Sleep(time.Until(begun.Add(time.Duration(i+1) * pace)))
		}
		if _, err := connection.Write(event); err != nil {
			return err
		}
	}
	return nil
}

// says: the JSON text has the member, written with or without a space; enough for bodies that we wrote ourselves.
func says(body []byte, name, value string) bool {
	return bytes.Contains(body, []byte(`"`+name+`":`+value)) || bytes.Contains(body, []byte(`"`+name+`": `+value))
}

// wholeRequest is the size of the first request in data and its body; 0 while it has not all arrived.
func wholeRequest(data []byte) (int, []byte) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	body := data[end+4:]
	head := data[:end+2]
	if header(head, "\r\ntransfer-encoding: chunked\r\n") != nil {
		last := bytes.Index(body, []byte("0\r\n\r\n"))
		if last < 0 {
			return 0, nil
		}
		return end + 4 + last + 5, body[:last]
	}
	length := headerNumber(head, "\r\ncontent-length:")
	if length < 0 {
		length = 0
	}
	if len(body) < length {
		return 0, nil
	}
	return end + 4 + length, body[:length]
}
