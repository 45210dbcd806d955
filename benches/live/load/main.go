// Command load drives the live benchmarks: it creates events with the API server and sees when OpenSearch has them.
// Standard library only, so that it builds in seconds and weighs nothing beside what is measured.
//
//	load create  -cluster DIR -n 20000 [-workers 32]         create events as fast as the API server takes them
//	load steady  -cluster DIR -n 600000 -rate 1000 [-pods]   create events at a rate; -pods: about pods that there are
//	load stored  -opensearch URL -index I -n N -since NANOS  wait until the index has N documents
//	load drain   (the same flags, -base B)                   wait until a node that was down has N new documents
//	load burst   (the flags of both)                         create, then wait; time is from the last creation
//	load latency -cluster DIR -opensearch URL -index I -n 200 -rate 5
//
// -cluster is the folder of tests/env/kubernetes/up.sh. Every figure is printed as NAME=VALUE.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"time"
)

type options struct {
	cluster, opensearch, index string
	n, workers, base           int
	rate                       float64
	since                      int64
	timeout                    time.Duration
	pods                       bool
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: load create|steady|stored|drain|burst|latency [flags]")
	}
	var o options
	f := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	f.StringVar(&o.cluster, "cluster", "", "folder of tests/env/kubernetes/up.sh")
	f.StringVar(&o.opensearch, "opensearch", "", "URL")
	f.StringVar(&o.index, "index", "", "index")
	f.IntVar(&o.n, "n", 20000, "events")
	f.IntVar(&o.base, "base", 0, "burst, drain: documents that the index has already")
	f.IntVar(&o.workers, "workers", 32, "requests at a time")
	f.Float64Var(&o.rate, "rate", 5, "steady, latency: events a second")
	f.Int64Var(&o.since, "since", time.Now().UnixNano(), "stored, drain: when time began, in ns since the epoch")
	f.DurationVar(&o.timeout, "timeout", 2*time.Minute, "give up after")
	f.BoolVar(&o.pods, "pods", false, "steady: the events have the uids of pods")
	_ = f.Parse(os.Args[2:])

	switch os.Args[1] {
	case "create":
		create(o, 0)
	case "steady":
		create(o, o.rate)
	case "stored":
		stored(o, o.n, time.Unix(0, o.since))
	case "drain":
		drain(o)
	case "burst":
		create(o, 0)
		stored(o, o.base+o.n, time.Now())
	case "latency":
		latency(o)
	default:
		log.Fatalf("no such command: %s", os.Args[1])
	}
}

// create creates n events, at a rate a second or, with 0, as fast as the API server takes them.
func create(o options, rate float64) {
	api := newCluster(o.cluster)
	if o.pods {
		api.knowPods()
	}
	start := time.Now()
	took := api.createMany(o.n, o.workers, rate)
	seconds := time.Since(start).Seconds()
	fmt.Printf("created=%d\ncreate_rate=%.0f\ncreate_p50_ms=%.1f\ncreate_p99_ms=%.1f\n", o.n, float64(o.n)/seconds,
		ms(quantile(took, 0.5)), ms(quantile(took, 0.99)))
}

// stored waits until n documents have been indexed, then asks for their number in earnest: no more, no fewer.
func stored(o options, n int, since time.Time) {
	index := newIndex(o.opensearch, o.index)
	deadline := time.Now().Add(o.timeout)
	for have := 0; ; {
		// The number of index operations needs no refresh, so asking for it often costs the node little.
		if have = index.operations(); have >= n {
			break
		}
		if time.Now().After(deadline) {
			log.Fatalf("%d of %d documents after %v", have, n, o.timeout)
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Printf("stored_s=%.3f\n", time.Since(since).Seconds())
	if have := index.count(); have != n {
		log.Fatalf("the index has %d documents, not %d", have, n)
	}
}

// drain waits for n more documents in an index whose node has just started, with base documents: no more, no fewer.
func drain(o options) {
	index, since := newIndex(o.opensearch, o.index), time.Unix(0, o.since)
	wait := func(n int) time.Time {
		// Counted since the node's start.
		for have := index.operations(); have < n; have = index.operations() {
			if time.Since(since) > o.timeout {
				log.Fatalf("%d of %d documents after %v", have, n, o.timeout)
			}
			time.Sleep(5 * time.Millisecond)
		}
		return time.Now()
	}
	first := wait(1)
	last := wait(o.n)
	fmt.Printf("first_s=%.3f\ndrain_s=%.3f\ndrain_rate=%.0f\n", first.Sub(since).Seconds(), last.Sub(first).Seconds(),
		float64(o.n)/last.Sub(first).Seconds())
	if have := index.count(); have != o.base+o.n {
		log.Fatalf("the index has %d documents, not %d", have, o.base+o.n)
	}
}

// latency is from the API server's answer to a creation until OpenSearch answers with the document: it includes half
// a poll, and that OpenSearch acknowledges a little later than it has it.
func latency(o options) {
	const poll = 2 * time.Millisecond
	api, index := newCluster(o.cluster), newIndex(o.opensearch, o.index)
	gap := time.Duration(float64(time.Second) / o.rate)
	var took []time.Duration
	for i := range o.n {
		next := time.Now().Add(gap)
		uid, version, err := api.create(fmt.Sprintf("latency-%d", i))
		if err != nil {
			log.Fatal(err)
		}
		acknowledged := time.Now()
		for !index.has(uid + "." + version) {
			if time.Since(acknowledged) > o.timeout {
				log.Fatalf("event %s.%s did not come within %v", uid, version, o.timeout)
			}
			time.Sleep(poll)
		}
		took = append(took, time.Since(acknowledged))
		time.Sleep(time.Until(next))
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	fmt.Printf("latency_p50_ms=%.1f\nlatency_p90_ms=%.1f\nlatency_p99_ms=%.1f\nlatency_max_ms=%.1f\n",
		ms(quantile(took, 0.5)), ms(quantile(took, 0.9)), ms(quantile(took, 0.99)), ms(took[len(took)-1]))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quantile of durations in ascending order.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))]
}
