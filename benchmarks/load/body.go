package main

import (
	"bytes"
	"errors"
	"fmt"
)

// answerHead is what the first lines of an answer say about its body.
type answerHead struct {
	status  int
	length  int // -1: not given
	chunked bool
	closes  bool
	events  bool // a stream of server-sent events
}

// parseHead reads a status line and headers, the last line break included.
func parseHead(head []byte) (answerHead, error) {
	if !bytes.HasPrefix(head, []byte("HTTP/1.")) || len(head) < 14 {
		return answerHead{}, fmt.Errorf("not an HTTP/1 answer: %.40q", head)
	}
	answer := answerHead{length: -1}
	for _, c := range head[9:12] {
		answer.status = answer.status*10 + int(c-'0')
	}
	answer.length = headerNumber(head, "\r\ncontent-length:")
	answer.chunked = header(head, "\r\ntransfer-encoding: chunked") != nil
	answer.closes = header(head, "\r\nconnection: close") != nil
	answer.events = header(head, "\r\ncontent-type: text/event-stream") != nil
	if answer.length < 0 && !answer.chunked {
		return answerHead{}, errors.New("an answer with neither a length nor chunks")
	}
	return answer, nil
}

// payload follows the body of one answer through reads of any size.
type payload struct {
	chunked    bool
	left       int // bytes still to come, of the body or of the chunk
	state      chunkState
	sizeDigits int
	trailer    int // bytes on the trailer line so far
	events     bool
	blankLines int // ends of events
	last       byte
	end        string // what the last event says; only a whole stream has it
	tail       []byte // the last bytes of the read before, in which it may begin
	ended      bool
}

type chunkState int

const (
	inSize chunkState = iota
	inSizeLine
	inData
	afterData
	inTrailer
)

func (a answerHead) newPayload(end string) payload {
	return payload{chunked: a.chunked, left: max(a.length, 0), events: a.events, end: end}
}

var errOverlong = errors.New("more bytes than the answer announced")

// feed takes the bytes of one read; true once the body is complete.
func (p *payload) feed(data []byte) (bool, error) {
	if !p.chunked {
		if len(data) > p.left {
			return false, errOverlong
		}
		p.take(data)
		p.left -= len(data)
		return p.left == 0, nil
	}
	for i := 0; i < len(data); {
		c := data[i]
		switch p.state {
		case inSize:
			digit := hexDigit(c)
			if digit >= 0 {
				p.left = p.left<<4 | digit
				p.sizeDigits++
				i++
				continue
			}
			if p.sizeDigits == 0 || p.sizeDigits > 7 {
				return false, errors.New("a chunk without a sane size")
			}
			p.state = inSizeLine
		case inSizeLine:
			i++
			if c != '\n' {
				continue
			}
			p.sizeDigits = 0
			p.state = inData
			if p.left == 0 {
				p.state = inTrailer
			}
		case inData:
			size := min(len(data)-i, p.left)
			p.take(data[i : i+size])
			p.left -= size
			i += size
			if p.left == 0 {
				p.state = afterData
			}
		case afterData:
			i++
			if c == '\n' {
				p.state = inSize
			}
		case inTrailer:
			i++
			if c == '\n' {
				if p.trailer == 0 {
					if i < len(data) {
						return false, errOverlong
					}
					return true, nil
				}
				p.trailer = 0
			} else if c != '\r' {
				p.trailer++
			}
		}
	}
	return false, nil
}

// take sees the payload itself: it counts events and looks for the one that ends a whole stream.
func (p *payload) take(data []byte) {
	if len(data) == 0 || !p.events {
		return
	}
	if p.last == '\n' && data[0] == '\n' {
		p.blankLines++
	}
	p.blankLines += bytes.Count(data, []byte("\n\n"))
	p.last = data[len(data)-1]
	overlap := len(p.end) - 1
	p.tail = append(p.tail, data[:min(len(data), overlap)]...)
	p.ended = p.ended || bytes.Contains(p.tail, []byte(p.end)) || bytes.Contains(data, []byte(p.end))
	if len(data) >= overlap {
		p.tail = append(p.tail[:0], data[len(data)-overlap:]...)
	} else if len(p.tail) > overlap {
		p.tail = append(p.tail[:0], p.tail[len(p.tail)-overlap:]...)
	}
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
