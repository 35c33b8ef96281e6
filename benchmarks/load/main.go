// Command load is the other end of every measurement: the client, the model provider and the OTLP receiver.
//
// All three share one core while the gateway has another, so each must cost a small fraction of what the gateway
// does; that is why they are not written in Python, and why the HTTP/1.1 in them is parsed by hand.
// Only the standard library is used: nothing has to be downloaded to measure.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() {
	// One core is what they have: more threads would only take turns on it.
	runtime.GOMAXPROCS(1)
	if len(os.Args) < 2 {
		fail("usage: load client|soak|upstream|sink [flags]")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	address := flags.String("address", "127.0.0.1:0", "where to listen, or whom to call")
	var err error
	switch os.Args[1] {
	case "client":
		path := flags.String("request", "", "file with the bytes of one HTTP request")
		connections := flags.Int("connections", 1, "connections kept open, each with one request under way")
		seconds := flags.Float64("seconds", 3, "how long requests are begun")
		grace := flags.Float64("grace", 15, "how long the last ones may take after that")
		end := flags.String("end", "data: [DONE]\n\n", "what a whole stream says at its end")
		_ = flags.Parse(os.Args[2:])
		err = runClient(*address, *path, *end, *connections, duration(*seconds), duration(*grace))
	case "upstream":
		pace := flags.Float64("pace-ms", 10, "pause between the events of a paced stream")
		events := flags.Int("events", 50, "events of a stream, [DONE] included")
		scripts := flags.String("scripts", "", "file that says how certain paths answer")
		_ = flags.Parse(os.Args[2:])
		err = runUpstream(*address, *events, duration(*pace/1000), *scripts)
	case "soak":
		plan := flags.String("plan", "", "file that says what to send and what to expect")
		rate := flags.Float64("rate", 200, "requests begun a second, whatever becomes of those before")
		seconds := flags.Float64("seconds", 60, "how long requests are begun")
		_ = flags.Parse(os.Args[2:])
		err = runSoak(*address, *plan, *rate, duration(*seconds))
	case "sink":
		_ = flags.Parse(os.Args[2:])
		err = runSink(*address)
	default:
		err = fmt.Errorf("no such part: %s", os.Args[1])
	}
	if err != nil {
		fail(err.Error())
	}
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func fail(reason string) {
	fmt.Fprintln(os.Stderr, "load: "+reason)
	os.Exit(1)
}

// announce tells the starter, who chose port 0, where we listen.
func announce(address string) { fmt.Printf("listening %s\n", address) }
