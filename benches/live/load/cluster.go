package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// cluster creates events in the namespace default of tests/env/kubernetes/up.sh's API server.
type cluster struct {
	url    string
	prefix string
	// The uids of pods, by name; of any other pod, one is made up.
	uids map[string]string
	// One client a connection: HTTP/2 would put everything on one.
	clients []*http.Client
}

func newCluster(dir string) *cluster {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			log.Fatal(err)
		}
		return b
	}
	c := &cluster{prefix: fmt.Sprintf("load-%x", time.Now().UnixNano())}
	for _, line := range strings.Split(string(read("env")), "\n") {
		if server, ok := strings.CutPrefix(line, "server="); ok {
			c.url = server + "/api/v1/namespaces/default/events"
		}
	}
	cert, err := tls.X509KeyPair(read("pki/admin.crt"), read("pki/admin.key"))
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(read("pki/ca.crt"))
	for range 4 {
		c.clients = append(c.clients, &http.Client{Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots},
			ForceAttemptHTTP2: true,
		}})
	}
	return c
}

// knowPods asks for the pods that there are, so that events about them have their uids.
func (c *cluster) knowPods() {
	resp, err := c.clients[0].Get(strings.TrimSuffix(c.url, "events") + "pods")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Items []struct{ Metadata struct{ Name, UID string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || resp.StatusCode != http.StatusOK {
		log.Fatalf("the pods: %s: %v", resp.Status, err)
	}
	c.uids = map[string]string{}
	for _, pod := range list.Items {
		c.uids[pod.Metadata.Name] = pod.Metadata.UID
	}
}

// createMany creates n events, at a rate a second where it is not 0, and returns how long each took, in ascending order.
func (c *cluster) createMany(n, workers int, rate float64) []time.Duration {
	took, began := make([]time.Duration, n), time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if rate > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
				}
				start := time.Now()
				resp, err := c.post(c.clients[w%len(c.clients)], fmt.Sprint(i), i)
				if err != nil {
					log.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				took[i] = time.Since(start)
			}
		}()
	}
	wg.Wait()
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	return took
}

// create creates one event and returns its uid and resourceVersion.
func (c *cluster) create(name string) (uid, version string, err error) {
	resp, err := c.post(c.clients[0], name, 0)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	var event struct {
		Metadata struct{ UID, ResourceVersion string }
	}
	err = json.NewDecoder(resp.Body).Decode(&event)
	return event.Metadata.UID, event.Metadata.ResourceVersion, err
}

// post sends an event as a kubelet would: a warning, so that drop-normal keeps it, about one of a hundred pods.
func (c *cluster) post(client *http.Client, name string, pod int) (*http.Response, error) {
	now := time.Now().UTC().Format(time.RFC3339)
	about := fmt.Sprintf("web-%d", pod%100)
	uid, ok := c.uids[about]
	if !ok {
		uid = "u-" + about
	}
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Event","metadata":{"name":"%s-%s","namespace":"default"},`+
		`"involvedObject":{"apiVersion":"v1","kind":"Pod","namespace":"default","name":"%[3]s","uid":"%[5]s"},`+
		`"reason":"BackOff","message":"Back-off restarting failed container app in pod %[3]s","type":"Warning",`+
		`"count":1,"firstTimestamp":"%[4]s","lastTimestamp":"%[4]s","source":{"component":"kubelet","host":"node-1"}}`,
		c.prefix, name, about, now, uid)
	resp, err := client.Post(c.url, "application/json", bytes.NewBufferString(body))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		resp.Body.Close()
		return nil, fmt.Errorf("create: %s: %s", resp.Status, text)
	}
	return resp, nil
}
