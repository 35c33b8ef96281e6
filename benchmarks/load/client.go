package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// result is what one run of the client saw. A run is only worth something if Sent == OK.
type result struct {
	Sent           int     `json:"sent"`              // requests begun
	OK             int     `json:"ok"`                // answered 200 with a complete body
	Not200         int     `json:"not_200"`           // answered with another status
	Broken         int     `json:"broken"`            // connection lost, or a body that did not end as it should
	Reason         string  `json:"reason"`            // the first thing that went wrong
	Events         int     `json:"events"`            // server-sent events received
	Seconds        float64 `json:"seconds"`           // from the first request begun to the last answered
	PerSecond      float64 `json:"per_second"`        // answers per second of that
	P50us          float64 `json:"p50_us"`            // request written to last byte read
	P90us          float64 `json:"p90_us"`            //
	P99us          float64 `json:"p99_us"`            //
	MaxUs          float64 `json:"max_us"`            //
	FirstByteP50us float64 `json:"first_byte_p50_us"` // request written to first byte of the body read
	FirstByteP99us float64 `json:"first_byte_p99_us"`
}

// caller is one connection, and what it has seen.
type caller struct {
	address    string
	request    []byte
	connection net.Conn
	buffer     []byte
	result     result
	whole      []int64 // ns
	first      []int64 // ns
}

func runClient(address, path string, connections int, length, grace time.Duration) error {
	request, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	callers := make([]*caller, connections)
	for i := range callers {
		callers[i] = &caller{address: address, request: request, buffer: make([]byte, 128<<10)}
		if err := callers[i].connect(); err != nil {
			return err
		}
	}
	begun := time.Now()
	deadline := begun.Add(length)
	var group sync.WaitGroup
	for _, c := range callers {
		group.Go(func() { c.loop(deadline, grace) })
	}
	group.Wait()
	total := fold(callers, time.Since(begun))
	return json.NewEncoder(os.Stdout).Encode(total)
}

func fold(callers []*caller, took time.Duration) result {
	var total result
	var whole, first []int64
	for _, c := range callers {
		total.Sent += c.result.Sent
		total.OK += c.result.OK
		total.Not200 += c.result.Not200
		total.Broken += c.result.Broken
		total.Events += c.result.Events
		if total.Reason == "" {
			total.Reason = c.result.Reason
		}
		whole, first = append(whole, c.whole...), append(first, c.first...)
	}
	slices.Sort(whole)
	slices.Sort(first)
	total.Seconds = took.Seconds()
	total.PerSecond = float64(total.OK) / took.Seconds()
	total.P50us, total.P90us, total.P99us = quantile(whole, 0.5), quantile(whole, 0.9), quantile(whole, 0.99)
	total.MaxUs = quantile(whole, 1)
	total.FirstByteP50us, total.FirstByteP99us = quantile(first, 0.5), quantile(first, 0.99)
	return total
}

func quantile(sorted []int64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(float64(len(sorted)-1)*share)]) / 1000
}

func (c *caller) connect() (err error) {
	c.connection, err = net.DialTimeout("tcp", c.address, 5*time.Second)
	return err
}

// loop keeps one request under way until the deadline; the last one is waited for, so that what was sent can be
// compared, to the piece, with what the sink received.
func (c *caller) loop(deadline time.Time, grace time.Duration) {
	defer func() { c.connection.Close() }()
	_ = c.connection.SetDeadline(deadline.Add(grace))
	for time.Now().Before(deadline) {
		c.result.Sent++
		reusable, err := c.call()
		if err != nil {
			c.result.Broken++
			c.note(err)
			reusable = false
		}
		if reusable {
			continue
		}
		c.connection.Close()
		if err := c.connect(); err != nil {
			c.note(err)
			return
		}
		_ = c.connection.SetDeadline(deadline.Add(grace))
	}
}

func (c *caller) note(err error) {
	if c.result.Reason == "" {
		c.result.Reason = err.Error()
	}
}

var errUnexpectedEnd = errors.New("the stream did not end with [DONE]")

// call sends the request and reads the whole answer.
func (c *caller) call() (reusable bool, err error) {
	begun := time.Now()
	if _, err := c.connection.Write(c.request); err != nil {
		return false, err
	}
	head, filled := -1, 0
	for head < 0 {
		if filled == len(c.buffer) {
			return false, errors.New("the head of the answer is too long")
		}
		n, err := c.connection.Read(c.buffer[filled:])
		if err != nil {
			return false, err
		}
		from := max(0, filled-3)
		filled += n
		if i := bytes.Index(c.buffer[from:filled], []byte("\r\n\r\n")); i >= 0 {
			head = from + i + 4
		}
	}
	answer, err := parseHead(c.buffer[:head-2])
	if err != nil {
		return false, err
	}
	payload := answer.newPayload()
	var firstByte time.Time
	data := c.buffer[head:filled]
	for {
		if len(data) > 0 && firstByte.IsZero() {
			firstByte = time.Now()
		}
		done, err := payload.feed(data)
		if err != nil {
			return false, err
		}
		if done {
			break
		}
		n, err := c.connection.Read(c.buffer)
		if err != nil {
			return false, err
		}
		data = c.buffer[:n]
	}
	ended := time.Now()
	if answer.status != 200 {
		c.result.Not200++
		c.note(fmt.Errorf("status %d", answer.status))
		return !answer.closes, nil
	}
	if answer.events && !payload.endedWith("data: [DONE]\n\n") {
		return false, errUnexpectedEnd
	}
	c.result.OK++
	c.result.Events += payload.blankLines
	c.whole = append(c.whole, int64(ended.Sub(begun)))
	if !firstByte.IsZero() {
		c.first = append(c.first, int64(firstByte.Sub(begun)))
	}
	return !answer.closes, nil
}
