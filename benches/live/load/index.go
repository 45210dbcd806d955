package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
)

// index asks OpenSearch about one index, which need not exist yet.
type index struct{ url string }

func newIndex(opensearch, name string) *index { return &index{opensearch + "/" + name} }

// get returns the status of METHOD url+path, and the body decoded into result where it is 200.
func (x *index) get(method, path string, result any) int {
	req, err := http.NewRequest(method, x.url+path, nil)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && result != nil {
		if err := json.NewDecoder(resp.Body).Decode(result); err != nil {
			log.Fatal(err)
		}
	}
	_, _ = io.Copy(io.Discard, resp.Body) // else the connection is not used again
	return resp.StatusCode
}

// operations is how many documents have been indexed, refreshed or not.
func (x *index) operations() int {
	var r struct {
		All struct {
			Primaries struct {
				Indexing struct {
					Total int `json:"index_total"`
				}
			}
		} `json:"_all"`
	}
	x.get("GET", "/_stats/indexing?filter_path=_all.primaries.indexing.index_total", &r)
	return r.All.Primaries.Indexing.Total
}

// count is how many documents a search finds, after a refresh.
func (x *index) count() int {
	var r struct{ Count int }
	x.get("POST", "/_refresh", nil)
	x.get("GET", "/_count", &r)
	return r.Count
}

// has tells whether the document is there; getting it by its id needs no refresh.
func (x *index) has(id string) bool {
	return x.get("GET", "/_doc/"+id+"?_source=false", nil) == http.StatusOK
}
