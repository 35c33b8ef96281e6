package main

import "bytes"

// headerNumber is the value of a numeric header, -1 without it; name is lower-case, with the line break before it and
// the colon after it.
func headerNumber(head []byte, name string) int {
	value := bytes.TrimLeft(header(head, name), " ")
	if len(value) == 0 || value[0] < '0' || value[0] > '9' {
		return -1
	}
	number := 0
	for _, c := range value {
		if c < '0' || c > '9' {
			break
		}
		number = number*10 + int(c-'0')
	}
	return number
}

// header is what follows the lower-case text in head, letters compared without case; nil without it. Nothing is
// allocated: this runs a few times a request.
func header(head []byte, text string) []byte {
	for from := 0; ; {
		i := bytes.IndexByte(head[from:], text[0])
		if i < 0 {
			return nil
		}
		from += i
		if foldedPrefix(head[from:], text) {
			return head[from+len(text):]
		}
		from++
	}
}

// foldedPrefix: data begins with the lower-case prefix, letters compared without case.
func foldedPrefix(data []byte, prefix string) bool {
	if len(data) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c := data[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}
