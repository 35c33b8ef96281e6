package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// counts is what arrived, decoded: a span or a log record that cannot be read does not count.
type counts struct {
	ServerSpans int `json:"server_spans"`
	ClientSpans int `json:"client_spans"`
	OtherSpans  int `json:"other_spans"`
	Completed   int `json:"completed_logs"` // log records whose body says "request completed"
	OtherLogs   int `json:"other_logs"`
	Metrics     int `json:"metrics"`
	Exports     int `json:"exports"`
	Bytes       int `json:"bytes"`
	Undecodable int `json:"undecodable"`
	Series      int `json:"series"` // data points in the latest metrics of each exporter
}

// sink receives OTLP over gRPC and over HTTP on one port, as protobuf, and says on GET /counts what arrived.
type sink struct {
	mutex  sync.Mutex
	counts counts
	series map[string]int // by exporter's address
}

func runSink(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	announce(listener.Addr().String())
	s := &sink{series: map[string]int{}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC without TLS is this
	server := &http.Server{Handler: s, Protocols: protocols, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		w.Header().Set("content-type", "application/json")
		_ = json.NewEncoder(w).Encode(s.counts)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	overGRPC := strings.HasPrefix(r.Header.Get("content-type"), "application/grpc")
	compressed := r.Header.Get("content-encoding") == "gzip"
	if overGRPC {
		body, compressed, err = unframe(body)
	}
	if err == nil && compressed {
		body, err = gunzip(body)
	}
	if err == nil {
		err = s.receive(r.RemoteAddr, r.URL.Path, body)
	}
	if err != nil {
		s.mutex.Lock()
		s.counts.Undecodable++
		s.mutex.Unlock()
	}
	if !overGRPC {
		w.Header().Set("content-type", "application/x-protobuf")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		return
	}
	w.Header().Set("content-type", "application/grpc")
	w.Header().Set("trailer", "grpc-status, grpc-message")
	status, message := "0", ""
	if err != nil {
		status, message = "3", err.Error() // INVALID_ARGUMENT: sending it again would not help
	} else {
		_, _ = w.Write([]byte{0, 0, 0, 0, 0}) // one message, empty: everything was accepted
	}
	w.Header().Set("grpc-status", status)
	w.Header().Set("grpc-message", message)
}

func (s *sink) receive(from, path string, body []byte) error {
	var arrived counts
	var err error
	switch {
	case strings.Contains(path, "trace"):
		err = eachRecord(body, func(span []byte) error { return arrived.addSpan(span) })
	case strings.Contains(path, "log"):
		err = eachRecord(body, func(record []byte) error { return arrived.addLog(record) })
	case strings.Contains(path, "metric"):
		err = eachRecord(body, func(metric []byte) error { return arrived.addMetric(metric) })
	default:
		err = fmt.Errorf("no such service: %s", path)
	}
	if err != nil {
		return err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.counts.ServerSpans += arrived.ServerSpans
	s.counts.ClientSpans += arrived.ClientSpans
	s.counts.OtherSpans += arrived.OtherSpans
	s.counts.Completed += arrived.Completed
	s.counts.OtherLogs += arrived.OtherLogs
	s.counts.Metrics += arrived.Metrics
	if arrived.Metrics > 0 {
		s.series[from] = arrived.Series
		s.counts.Series = 0
		for _, points := range s.series {
			s.counts.Series += points
		}
	}
	s.counts.Exports++
	s.counts.Bytes += len(body)
	return nil
}

// Span.kind is field 6; SERVER is 2, CLIENT is 3 (opentelemetry/proto/trace/v1/trace.proto).
func (c *counts) addSpan(span []byte) error {
	kind := uint64(0)
	err := eachField(span, func(number int, value uint64, _ []byte) error {
		if number == 6 {
			kind = value
		}
		return nil
	})
	switch kind {
	case 2:
		c.ServerSpans++
	case 3:
		c.ClientSpans++
	default:
		c.OtherSpans++
	}
	return err
}

// LogRecord.body is field 5 (opentelemetry/proto/logs/v1/logs.proto).
func (c *counts) addLog(record []byte) error {
	completed := false
	err := eachField(record, func(number int, _ uint64, data []byte) error {
		completed = completed || number == 5 && bytes.Contains(data, []byte("request completed"))
		return nil
	})
	if completed {
		c.Completed++
	} else {
		c.OtherLogs++
	}
	return err
}

// Metric.gauge, .sum, .histogram and .exponential_histogram are fields 5, 7, 9 and 10; their data points are field 1 in each
// (opentelemetry/proto/metrics/v1/metrics.proto).
func (c *counts) addMetric(metric []byte) error {
	c.Metrics++
	return eachField(metric, func(number int, _ uint64, data []byte) error {
		if number != 5 && number != 7 && number != 9 && number != 10 {
			return nil
		}
		return within(data, 1, func([]byte) error { c.Series++; return nil })
	})
}

// eachRecord visits the spans, log records or metrics of an export request: all three nest alike, as
// request.1 (by resource) . 2 (by scope) . 2 (the records).
func eachRecord(request []byte, visit func([]byte) error) error {
	return within(request, 1, func(resource []byte) error {
		return within(resource, 2, func(scope []byte) error {
			return within(scope, 2, visit)
		})
	})
}

func within(message []byte, wanted int, visit func([]byte) error) error {
	return eachField(message, func(number int, _ uint64, data []byte) error {
		if number != wanted {
			return nil
		}
		if data == nil {
			return errMalformed
		}
		return visit(data)
	})
}

var errMalformed = errors.New("not a protobuf message")

// eachField visits the fields of a protobuf message: value for numbers, data (not nil) for everything with a length.
func eachField(message []byte, visit func(number int, value uint64, data []byte) error) error {
	for len(message) > 0 {
		tag, size := uvarint(message)
		if size == 0 {
			return errMalformed
		}
		message = message[size:]
		var value uint64
		var data []byte
		length := 0
		switch tag & 7 {
		case 0:
			value, length = uvarint(message)
			if length == 0 {
				return errMalformed
			}
		case 1:
			length = 8
		case 2:
			announced, size := uvarint(message)
			if size == 0 || announced > uint64(len(message)-size) {
				return errMalformed
			}
			length = size + int(announced)
			data = message[size:length:length]
		case 5:
			length = 4
		default:
			return errMalformed
		}
		if length > len(message) {
			return errMalformed
		}
		if err := visit(int(tag>>3), value, data); err != nil {
			return err
		}
		message = message[length:]
	}
	return nil
}

// uvarint is a protobuf varint and the bytes it takes; 0 bytes if there is none.
func uvarint(data []byte) (uint64, int) {
	var value uint64
	for i := 0; i < len(data) && i < 10; i++ {
		value |= uint64(data[i]&0x7f) << (7 * i)
		if data[i] < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}

// unframe takes the one message out of a unary gRPC call's body: a flag for compression, four bytes of length.
func unframe(body []byte) (message []byte, compressed bool, err error) {
	if len(body) < 5 {
		return nil, false, errMalformed
	}
	length := int(body[1])<<24 | int(body[2])<<16 | int(body[3])<<8 | int(body[4])
	if len(body) != 5+length {
		return nil, false, errMalformed
	}
	return body[5:], body[0] == 1, nil
}

func gunzip(body []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}
