package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	written  atomic.Uint64 // lines of this process, the next number less one
	writing  sync.Mutex    // two writers share the numbers, one line at a time
	levels   = []string{"info", "info", "info", "debug", "info", "warn", "info", "info", "info", "error"}
	subjects = []string{"request served", "order placed", "cache refreshed", "session opened", "batch sent"}
)

const tick = 10 * time.Millisecond

// lines writes what is due every tick, so that a rate of thousands a second costs a hundred wake-ups.
func lines(ask Ask) error {
	if ask.Rate <= 0 {
		return errors.New("lines needs --rate above 0")
	}
	file := os.Stdout
	if ask.Stderr {
		file = os.Stderr
	}
	out := bufio.NewWriterSize(file, 64<<10)
	start, done := time.Now(), uint64(0)
	for {
		elapsed := time.Since(start)
		over := ask.For > 0 && elapsed >= ask.For
		if over {
			elapsed = ask.For
		}
		due := uint64(elapsed.Seconds() * ask.Rate)
		if ask.Count > 0 && due >= ask.Count {
			due, over = ask.Count, true
		}
		if err := write(out, ask, due-done); err != nil {
			return err
		}
		done = due
		if over {
			return nil
		}
		time.Sleep(tick)
	}
}

func write(out *bufio.Writer, ask Ask, count uint64) error {
	writing.Lock()
	defer writing.Unlock()
	for range count {
		seq := written.Add(1)
		if _, err := out.WriteString(line(ask, seq, time.Now())); err != nil {
			return fmt.Errorf("write line %d: %w", seq, err)
		}
	}
	return out.Flush()
}

// line is one numbered line with its newline; --bytes pads it to a length.
func line(ask Ask, seq uint64, now time.Time) string {
	level, subject := levels[seq%10], subjects[seq%5]
	at := now.UTC().Format("2006-01-02T15:04:05.000000Z")
	head, tail := fmt.Sprintf("seq=%d time=%s level=%s msg=%q", seq, at, level, subject), "\n"
	pad := " pad="
	if ask.JSON {
		head = fmt.Sprintf(`{"seq":%d,"time":%q,"level":%q,"msg":%q`, seq, at, level, subject)
		pad, tail = `,"pad":"`, "\"}\n"
	}
	if missing := ask.Bytes - len(head) - len(pad) - len(tail); missing > 0 {
		return head + pad + strings.Repeat("x", missing) + tail
	}
	if ask.JSON {
		tail = "}\n"
	}
	return head + tail
}
