package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// burn keeps ask.CPU cores busy: whole ones by spinning, the rest by spinning a share of every 50 ms.
func burn(ask Ask) {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), int(ask.CPU)+1))
	end := time.Now().Add(ask.For)
	for share := ask.CPU; share > 0; share-- {
		go spin(min(share, 1), ask.For, end)
	}
	rest(ask.For)
}

func spin(share float64, length time.Duration, end time.Time) {
	const period = 50 * time.Millisecond
	for length == 0 || time.Now().Before(end) {
		start := time.Now()
		for busy := time.Duration(float64(period) * share); time.Since(start) < busy; {
		}
		time.Sleep(period - min(period, time.Since(start)))
	}
}

// hold allocates ask.Bytes and touches every page, so that they are resident.
func hold(ask Ask) {
	memory := make([]byte, ask.Bytes)
	for at := 0; at < len(memory); at += 4096 {
		memory[at] = 1
	}
	held.Add(int64(len(memory)))
	rest(ask.For)
	held.Add(-int64(len(memory)))
	runtime.KeepAlive(memory)
}

// crash leaves ask.Message as the last line on stderr.
func crash(ask Ask) {
	time.Sleep(ask.After)
	writing.Lock()
	fmt.Fprintln(os.Stderr, ask.Message)
	os.Exit(ask.Code)
}
