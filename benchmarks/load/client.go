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
	end        string
	connection net.Conn
	buffer     []byte
	result     result
	whole      []int64 // ns
	first      []int64 // ns
}

func runClient(address, path, end string, connections int, length, grace time.Duration) error {
	request, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	callers := make([]*caller, connections)
	for i := range callers {
		callers[i] = &caller{address: address, request: request, end: end, buffer: make([]byte, 128<<10)}
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

// call sends the request and judges the answer: only a whole one counts.
func (c *caller) call() (reusable bool, err error) {
	seen, err := c.exchange(0)
	if err != nil {
		return false, err
	}
	if seen.status != 200 {
		c.result.Not200++
		c.note(fmt.Errorf("status %d", seen.status))
		return !seen.closes, nil
	}
	if seen.events && !seen.body.ended {
		return false, fmt.Errorf("the stream did not end with %q", c.end)
	}
	c.result.OK++
	c.result.Events += seen.body.blankLines
	c.whole = append(c.whole, int64(seen.took))
	if seen.firstByte > 0 {
		c.first = append(c.first, int64(seen.firstByte))
	}
	return !seen.closes, nil
}

// seen is one answer as it came.
type seen struct {
	answerHead
	body      payload
	took      time.Duration
	firstByte time.Duration // of the body; 0 if it had none
}

var errLeft = errors.New("left in the middle of the answer, as meant")

// exchange sends the request and reads the whole answer, or that many events of it: then errLeft.
func (c *caller) exchange(leaveAfter int) (seen, error) {
	var answer seen
	begun := time.Now()
	if _, err := c.connection.Write(c.request); err != nil {
		return answer, err
	}
	head, filled := -1, 0
	for head < 0 {
		if filled == len(c.buffer) {
			return answer, errors.New("the head of the answer is too long")
		}
		n, err := c.connection.Read(c.buffer[filled:])
		if err != nil {
			return answer, err
		}
		from := max(0, filled-3)
		filled += n
		if i := bytes.Index(c.buffer[from:filled], []byte("\r\n\r\n")); i >= 0 {
			head = from + i + 4
		}
	}
	var err error
	if answer.answerHead, err = parseHead(c.buffer[:head-2]); err != nil {
		return answer, err
	}
	answer.body = answer.newPayload(c.end)
	data := c.buffer[head:filled]
	for {
		if len(data) > 0 && answer.firstByte == 0 {
			answer.firstByte = time.Since(begun)
		}
		done, err := answer.body.feed(data)
		if err != nil {
			return answer, err
		}
		if done {
			break
		}
		if leaveAfter > 0 && answer.body.blankLines >= leaveAfter {
			return answer, errLeft
		}
		n, err := c.connection.Read(c.buffer)
		if err != nil {
			return answer, err
		}
		data = c.buffer[:n]
	}
	answer.took = time.Since(begun)
	return answer, nil
}
