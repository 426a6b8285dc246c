package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

var (
	held     atomic.Int64
	requests atomic.Uint64
	sunk     atomic.Uint64
	ready    atomic.Bool
)

// serve answers until it fails; with --rate it writes lines beside it.
func serve(ask Ask) error {
	go func() {
		time.Sleep(ask.ReadyAfter)
		ready.Store(true)
	}()
	if ask.Rate > 0 {
		go func() { report(lines(ask)) }()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		host, _ := os.Hostname()
		fmt.Fprintf(w, "emitter on %s\n", host)
	})
	if ask.Shop {
		mux.HandleFunc("GET /{route}", open(ask).answer)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", readyz)
	mux.HandleFunc("POST /ready", func(w http.ResponseWriter, r *http.Request) {
		ready.Store(r.URL.Query().Get("on") != "false")
	})
	mux.HandleFunc("GET /metrics", metrics)
	mux.HandleFunc("POST /v1/{signal}", sink)
	for name, act := range map[string]func(Ask){
		"lines": func(ask Ask) { report(lines(ask)) }, "burn": burn, "hold": hold, "crash": crash,
	} {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			ask, err := fromQuery(r.URL.Query())
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusAccepted)
			go act(ask)
		})
	}
	return http.ListenAndServe(ask.Listen, counted(mux))
}

func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "emitter:", err)
	}
}

func counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		next.ServeHTTP(w, r)
	})
}

// sink takes telemetry as an OTLP receiver would and forgets it, so that a sender can be measured alone.
func sink(w http.ResponseWriter, r *http.Request) {
	size, err := io.Copy(io.Discard, r.Body)
	sunk.Add(uint64(size))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func readyz(w http.ResponseWriter, _ *http.Request) {
	if !ready.Load() {
		http.Error(w, "not ready yet", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for _, m := range []struct {
		name, kind, help string
		value            any
	}{
		{"emitter_lines_total", "counter", "Lines written.", written.Load()},
		{"emitter_requests_total", "counter", "HTTP requests answered.", requests.Load()},
		{"emitter_sunk_bytes_total", "counter", "Telemetry taken and forgotten.", sunk.Load()},
		{"emitter_held_bytes", "gauge", "Memory held on command.", held.Load()},
	} {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %v\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
}
