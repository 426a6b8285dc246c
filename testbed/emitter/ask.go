package main

import (
	"flag"
	"net/url"
	"os"
	"time"
)

// Ask is what one command is asked to do; every field is a flag of the same name in lower case.
type Ask struct {
	Rate    float64       // lines a second
	Bytes   int           // length of a line with its newline, or of the memory to hold
	For     time.Duration // 0: for ever
	Count   uint64        // stop after so many lines; 0: no limit
	JSON    bool
	Stderr  bool
	Linger  bool // stay when the lines are written
	CPU     float64
	After   time.Duration
	Code    int
	Message string

	Listen     string
	ReadyAfter time.Duration

	Shop     bool          // answer as a service that calls others and tells of it as spans
	Calls    string        // URLs to call on each request, with commas
	Latency  time.Duration // what a request takes here
	Fail     float64       // share of requests that fail
	Database string        // kind of a database that each request asks
}

func defaults() Ask {
	return Ask{Code: 1, CPU: 1, Message: "crashed on command"}
}

func (a *Ask) bind(f *flag.FlagSet) {
	f.Float64Var(&a.Rate, "rate", a.Rate, "lines a second")
	f.IntVar(&a.Bytes, "bytes", a.Bytes, "length of a line, or memory to hold")
	f.DurationVar(&a.For, "for", a.For, "how long; 0 is for ever")
	f.Uint64Var(&a.Count, "count", a.Count, "stop after so many lines; 0 is no limit")
	f.BoolVar(&a.JSON, "json", a.JSON, "write JSON objects")
	f.BoolVar(&a.Stderr, "stderr", a.Stderr, "write to stderr")
	f.BoolVar(&a.Linger, "linger", a.Linger, "stay when the lines are written")
	f.Float64Var(&a.CPU, "cpu", a.CPU, "cores to burn")
	f.DurationVar(&a.After, "after", a.After, "delay before the crash")
	f.IntVar(&a.Code, "code", a.Code, "exit code of the crash")
	f.StringVar(&a.Message, "message", a.Message, "last line before the crash")
	f.StringVar(&a.Listen, "listen", ":8080", "address to serve on")
	f.BoolVar(&a.Shop, "shop", a.Shop, "answer as a service that tells of its requests as spans")
	f.StringVar(&a.Calls, "calls", a.Calls, "URLs to call on each request, with commas")
	f.DurationVar(&a.Latency, "latency", a.Latency, "what a request takes")
	f.Float64Var(&a.Fail, "fail", a.Fail, "share of requests that fail")
	f.StringVar(&a.Database, "database", a.Database, "kind of a database that each request asks")
	f.DurationVar(&a.ReadyAfter, "ready-after", a.ReadyAfter, "answer 503 on /readyz for so long")
}

// fromQuery reads a query as flags, so that HTTP and the command line know the same words.
func fromQuery(query url.Values) (Ask, error) {
	ask := defaults()
	flags := flag.NewFlagSet("query", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	ask.bind(flags)
	for name, values := range query {
		for _, value := range values {
			if err := flags.Set(name, value); err != nil {
				return ask, err
			}
		}
	}
	return ask, nil
}
