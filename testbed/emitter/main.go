// Command emitter is the one test program of the testbed: it writes numbered lines at a rate, serves HTTP and
// /metrics, burns CPU, holds memory and crashes, all on command.
//
// In: a subcommand with flags, or a POST to the same name when it serves.
// Out: lines `seq=N …` (or JSON objects with a "seq") on stdout or stderr, never one twice, never a hole.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: emitter COMMAND [flags]
  lines  --rate 5000 [--bytes N] [--for 2m] [--count N] [--json] [--stderr] [--linger]
  serve  --listen :8080 [--ready-after 5s] [--rate N --bytes N --json]
         [--shop --calls URL,URL --latency 20ms --fail 0.05 --database postgresql]
  visit  --calls URL,URL --rate 2
  burn   --cpu 0.5 [--for 1m]
  hold   --bytes 64000000 [--for 1m]
  crash  --after 5s --code 3 --message "why"
  sleep  [--for 1m]
While it serves: GET / /healthz /readyz /metrics, POST /lines /burn /hold /crash with the flags as a query,
POST /ready?on=false, POST /v1/metrics|logs|traces (taken and forgotten).
`

func main() {
	if len(os.Args) < 2 {
		fail("")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		writing.Lock() // a line that was begun is finished
		os.Exit(0)
	}()

	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	ask := defaults()
	ask.bind(flags)
	if err := flags.Parse(os.Args[2:]); err != nil {
		fail(err.Error())
	}
	if flags.NArg() > 0 {
		fail(fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	switch os.Args[1] {
	case "lines":
		if err := lines(ask); err != nil {
			fail(err.Error())
		}
		if ask.Linger {
			rest(0)
		}
	case "serve":
		fail(serve(ask).Error())
	case "visit":
		fail(visit(ask).Error())
	case "burn":
		burn(ask)
	case "hold":
		hold(ask)
	case "crash":
		crash(ask)
	case "sleep":
		rest(ask.For)
	default:
		fail(fmt.Sprintf("no command is called %q", os.Args[1]))
	}
}

func fail(why string) {
	if why != "" {
		fmt.Fprintln(os.Stderr, "emitter:", why)
	}
	fmt.Fprint(os.Stderr, usage)
	os.Exit(2)
}

// rest sleeps for d, or until the process is told to stop when d is 0.
func rest(d time.Duration) {
	for d == 0 {
		time.Sleep(time.Hour)
	}
	time.Sleep(d)
}
