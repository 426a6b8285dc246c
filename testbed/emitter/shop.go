package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// A service of a shop: it answers a request by working a little, calling the services behind it, and telling of both as spans,
// over OTLP/HTTP in JSON, to $OTEL_EXPORTER_OTLP_ENDPOINT.
type shop struct {
	ask      Ask
	service  string
	resource []attribute
	spans    chan span // full: the oldest span is dropped, never the request
	client   http.Client
}

type attribute struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

type span struct {
	TraceID    string         `json:"traceId"`
	SpanID     string         `json:"spanId"`
	ParentID   string         `json:"parentSpanId,omitempty"`
	Name       string         `json:"name"`
	Kind       int            `json:"kind"`
	Start      string         `json:"startTimeUnixNano"`
	End        string         `json:"endTimeUnixNano"`
	Attributes []attribute    `json:"attributes"`
	Events     []event        `json:"events,omitempty"`
	Status     map[string]any `json:"status"`
}

type event struct {
	At         string      `json:"timeUnixNano"`
	Name       string      `json:"name"`
	Attributes []attribute `json:"attributes"`
}

const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
	waiting      = 4096 // spans that wait to be sent
)

func text(key, value string) attribute {
	return attribute{key, map[string]any{"stringValue": value}}
}

func number(key string, value int) attribute {
	return attribute{key, map[string]any{"intValue": strconv.Itoa(value)}}
}

// open makes the service and starts its exporter; without an endpoint it tells nobody.
func open(ask Ask) *shop {
	s := &shop{ask: ask, service: os.Getenv("OTEL_SERVICE_NAME"), client: http.Client{Timeout: 5 * time.Second}}
	if s.service == "" {
		s.service = "emitter"
	}
	s.resource = []attribute{text("service.name", s.service)}
	for _, pair := range strings.Split(os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if key, value, found := strings.Cut(pair, "="); found {
			s.resource = append(s.resource, text(key, value))
		}
	}
	if endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); endpoint != "" {
		s.spans = make(chan span, waiting)
		go s.export(strings.TrimSuffix(endpoint, "/") + "/v1/traces")
	}
	return s
}

// export sends what there is each second; a batch that is not taken is tried again a few times.
func (s *shop) export(url string) {
	for range time.Tick(time.Second) {
		var batch []span
		for more := true; more && len(batch) < 512; {
			select {
			case one := <-s.spans:
				batch = append(batch, one)
			default:
				more = false
			}
		}
		if len(batch) == 0 {
			continue
		}
		scopes := []any{map[string]any{"scope": map[string]any{"name": "emitter"}, "spans": batch}}
		body, err := json.Marshal(map[string]any{"resourceSpans": []any{
			map[string]any{"resource": map[string]any{"attributes": s.resource}, "scopeSpans": scopes},
		}})
		for try := 0; err == nil && try < 5; try++ {
			if err = s.post(url, body); err == nil {
				break
			}
			time.Sleep(time.Second << try)
			if try < 4 {
				err = nil
			}
		}
		report(err)
	}
}

func (s *shop) post(url string, body []byte) error {
	answer, err := s.client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
		return fmt.Errorf("%s answered %s: %s", url, answer.Status, why)
	}
	return nil
}

func id(bytes int) string {
	made := make([]byte, bytes)
	_, _ = rand.Read(made) // never fails
	return hex.EncodeToString(made)
}

func nanos(at time.Time) string {
	return strconv.FormatInt(at.UnixNano(), 10)
}

// begin opens a span below another; end closes and queues it.
func (s *shop) begin(trace, parent, name string, kind int, attributes ...attribute) *span {
	return &span{TraceID: trace, SpanID: id(8), ParentID: parent, Name: name, Kind: kind, Start: nanos(time.Now()), Attributes: attributes}
}

func (s *shop) end(one *span, failure error) {
	one.End = nanos(time.Now())
	one.Status = map[string]any{}
	if failure != nil {
		one.Status = map[string]any{"code": 2, "message": failure.Error()}
		one.Events = append(one.Events, event{one.End, "exception", []attribute{text("exception.message", failure.Error())}})
	}
	select {
	case s.spans <- *one:
	default:
		select {
		case <-s.spans:
		default:
		}
	}
}

// answer is the handler of one route.
func (s *shop) answer(w http.ResponseWriter, r *http.Request) {
	route := r.Method + " " + r.URL.Path
	trace, parent := fromHeader(r.Header.Get("traceparent"))
	server := s.begin(trace, parent, route, kindServer, text("http.request.method", r.Method), text("http.route", r.URL.Path))
	err := s.work(r.Context(), server)
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
	}
	server.Attributes = append(server.Attributes, number("http.response.status_code", status))
	s.end(server, err)
	level, message := "info", "answered"
	if err != nil {
		level, message = "error", err.Error()
	}
	line, _ := json.Marshal(map[string]any{
		"time": time.Now().UTC().Format(time.RFC3339Nano), "level": level, "msg": message, "service": s.service, "route": route,
		"trace_id": trace, "span_id": server.SpanID,
	})
	writing.Lock()
	fmt.Println(string(line))
	writing.Unlock()
	w.WriteHeader(status)
	fmt.Fprintln(w, message)
}

// fromHeader reads a W3C traceparent, or begins a trace.
func fromHeader(header string) (trace, parent string) {
	parts := strings.Split(header, "-")
	if len(parts) == 4 && len(parts[1]) == 32 && len(parts[2]) == 16 {
		return parts[1], parts[2]
	}
	return id(16), ""
}

// work takes its time, asks a database when there is one, and calls what stands behind.
func (s *shop) work(ctx context.Context, server *span) error {
	own := s.begin(server.TraceID, server.SpanID, "work", kindInternal)
	pause(s.ask.Latency)
	s.end(own, nil)
	if s.ask.Database != "" {
		query := s.begin(server.TraceID, server.SpanID, "SELECT orders", kindClient, text("db.system.name", s.ask.Database), text("db.operation.name", "SELECT"))
		pause(s.ask.Latency / 2)
		s.end(query, nil)
	}
	if mathrand.Float64() < s.ask.Fail {
		return errors.New(s.ask.Message)
	}
	for _, url := range strings.Split(s.ask.Calls, ",") {
		if url == "" {
			continue
		}
		if err := s.call(ctx, server, url); err != nil {
			return err
		}
	}
	return nil
}

// pause is around d, now and then many times as long.
func pause(d time.Duration) {
	factor := 0.5 + mathrand.Float64()
	if mathrand.Float64() < 0.02 {
		factor *= 10
	}
	time.Sleep(time.Duration(float64(d) * factor))
}

func (s *shop) call(ctx context.Context, server *span, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := s.begin(server.TraceID, server.SpanID, "GET", kindClient, text("http.request.method", "GET"), text("url.full", url),
		text("server.address", request.URL.Hostname()))
	request.Header.Set("traceparent", "00-"+client.TraceID+"-"+client.SpanID+"-01")
	answer, err := s.client.Do(request)
	if err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		client.Attributes = append(client.Attributes, number("http.response.status_code", answer.StatusCode))
		if answer.StatusCode >= 500 {
			err = fmt.Errorf("%s answered %s", request.URL.Hostname(), answer.Status)
		}
	}
	s.end(client, err)
	return err
}

// visit asks each of the addresses in turn, so many times a second, for ever.
func visit(ask Ask) error {
	urls := strings.Split(ask.Calls, ",")
	if ask.Calls == "" || ask.Rate <= 0 {
		return errors.New("visit needs --calls and --rate above 0")
	}
	client := http.Client{Timeout: 5 * time.Second}
	for n := 0; ; n++ {
		answer, err := client.Get(urls[n%len(urls)])
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		report(err)
		time.Sleep(time.Duration(float64(time.Second) / ask.Rate))
	}
}
