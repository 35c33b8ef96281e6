package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// mixed is one kind of request in a soak, as the plan says it (benchmarks/soak_mix.py writes it).
type mixed struct {
	Name       string   `json:"name"`
	Requests   []string `json:"requests"`    // files with the bytes of one request each, sent in turn
	Weight     int      `json:"weight"`      // how many of all the weights' sum
	End        string   `json:"end"`         // what a whole stream says at its end
	Status     int      `json:"status"`      // expected
	Cut        bool     `json:"cut"`         // expected: a stream that does not end as a whole one
	LeaveAfter int      `json:"leave_after"` // hang up after so many events
}

// tally is what became of one kind.
type tally struct {
	Name       string  `json:"name"`
	Sent       int     `json:"sent"`
	AsExpected int     `json:"as_expected"`
	Reason     string  `json:"reason"` // the first thing that went otherwise
	P50ms      float64 `json:"p50_ms"`
	P99ms      float64 `json:"p99_ms"`
}

// soaked is the whole report.
type soaked struct {
	LatestMs float64 `json:"latest_ms"` // how late a request was begun at the worst: this program waited for the processor
	Kinds    []tally `json:"kinds"`
}

const (
	graceAfterSoak = 30 * time.Second
	mostUnderWay   = 4000
)

// soak begins requests at a fixed rate, whatever becomes of those before: an open loop.
type soak struct {
	address string
	kinds   []mixed
	bytes   [][][]byte
	mutex   sync.Mutex
	tallies []tally
	times   [][]int64 // µs
	idle    []*caller
	under   int
}

func runSoak(address, plan string, rate float64, length time.Duration) error {
	data, err := os.ReadFile(plan)
	if err != nil {
		return err
	}
	s := &soak{address: address}
	if err := json.Unmarshal(data, &s.kinds); err != nil {
		return fmt.Errorf("%s: %w", plan, err)
	}
	s.tallies, s.times = make([]tally, len(s.kinds)), make([][]int64, len(s.kinds))
	for i, kind := range s.kinds {
		s.tallies[i].Name = kind.Name
		requests := make([][]byte, len(kind.Requests))
		for j, file := range kind.Requests {
			if requests[j], err = os.ReadFile(file); err != nil {
				return err
			}
		}
		s.bytes = append(s.bytes, requests)
	}
	order := spread(s.kinds)
	var group sync.WaitGroup
	begun, latest := time.Now(), time.Duration(0)
	for n := 0; ; n++ {
		due := begun.Add(duration(float64(n) / rate))
		if due.Sub(begun) >= length {
			break
		}
		time.Sleep(time.Until(due))
		latest = max(latest, time.Since(due))
		kind := order[n%len(order)]
		s.mutex.Lock()
		number := s.tallies[kind].Sent
		s.tallies[kind].Sent++
		full := s.under >= mostUnderWay
		if !full {
			s.under++
		}
		s.mutex.Unlock()
		if full {
			s.note(kind, fmt.Errorf("not sent: %d requests were under way", mostUnderWay))
			continue
		}
		group.Go(func() { s.one(kind, number) })
	}
	group.Wait()
	for i := range s.tallies {
		slices.Sort(s.times[i])
		s.tallies[i].P50ms, s.tallies[i].P99ms = quantile(s.times[i], 0.5), quantile(s.times[i], 0.99)
	}
	return json.NewEncoder(os.Stdout).Encode(soaked{float64(latest.Microseconds()) / 1000, s.tallies})
}

// spread is a sequence in which each kind comes as often as its weight says, its turns as far apart as can be.
func spread(kinds []mixed) []int {
	total := 0
	for _, kind := range kinds {
		total += kind.Weight
	}
	credit, order := make([]int, len(kinds)), make([]int, total)
	for n := range order {
		best := 0
		for i, kind := range kinds {
			credit[i] += kind.Weight
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		order[n] = best
	}
	return order
}

func (s *soak) one(index, number int) {
	kind, requests := s.kinds[index], s.bytes[index]
	c, fresh, err := s.take()
	var answer seen
	if err == nil {
		c.request, c.end = requests[number%len(requests)], kind.End
		answer, err = c.exchange(kind.LeaveAfter)
		if err != nil && !fresh && answer.status == 0 {
			// The server may close an idle connection in the moment in which it is used: no fault of anybody's.
			c.connection.Close()
			if err = c.connect(); err == nil {
				_ = c.connection.SetDeadline(time.Now().Add(graceAfterSoak))
				answer, err = c.exchange(kind.LeaveAfter)
			}
		}
	}
	switch {
	case kind.LeaveAfter > 0 && errors.Is(err, errLeft):
		s.note(index, nil)
	case err != nil:
		s.note(index, err)
	case answer.status != kind.Status:
		s.note(index, fmt.Errorf("status %d", answer.status))
	// Whoever was to leave but got all of a stream with one read (this program had no processor for a second) has nothing to leave.
	case answer.events && answer.body.ended == kind.Cut:
		s.note(index, fmt.Errorf("a stream that ended whole: %t", answer.body.ended))
	default:
		s.mutex.Lock()
		s.times[index] = append(s.times[index], answer.took.Microseconds())
		s.mutex.Unlock()
		s.note(index, nil)
	}
	s.give(c, err == nil && !answer.closes)
}

func (s *soak) note(kind int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err == nil {
		s.tallies[kind].AsExpected++
	} else if s.tallies[kind].Reason == "" {
		s.tallies[kind].Reason = err.Error()
	}
}

// take is a connection that is free, or a new one.
func (s *soak) take() (c *caller, fresh bool, err error) {
	s.mutex.Lock()
	if last := len(s.idle) - 1; last >= 0 {
		c, s.idle = s.idle[last], s.idle[:last]
	}
	s.mutex.Unlock()
	if c == nil {
		c, fresh = &caller{address: s.address, buffer: make([]byte, 64<<10)}, true
		if err = c.connect(); err != nil {
			return c, fresh, err
		}
	}
	return c, fresh, c.connection.SetDeadline(time.Now().Add(graceAfterSoak))
}

func (s *soak) give(c *caller, reusable bool) {
	if !reusable && c.connection != nil {
		c.connection.Close()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.under--
	if reusable {
		s.idle = append(s.idle, c)
	}
}
