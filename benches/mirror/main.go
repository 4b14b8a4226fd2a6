// The registry, the plain reverse proxy and the client that benches/mirror/run measures the mirror with.
//
//	mirror serve ADDRESS CERT KEY       a registry with Basic, TLS and a blob of any size
//	mirror proxy ADDRESS CERT KEY CA URL  a reverse proxy before it, as Go's library has it
//	mirror heads URL CA CERT KEY COUNT  the median and the 99th percentile of HEADs, in microseconds
//	mirror crowd URL CA CERT KEY COUNT  how many HEADs succeed, 60 at a time
//	mirror blob URL CA CERT KEY         the seconds that a blob takes
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	user, password = "octo", "benchmark"
	blobSize       = 1 << 30
)

var zeros = make([]byte, 256<<10)

func main() {
	args := os.Args[2:]
	switch os.Args[1] {
	case "serve":
		listen(args, http.HandlerFunc(registry))
	case "proxy":
		target, err := url.Parse(args[4])
		check(err)
		proxy := &httputil.ReverseProxy{
			Rewrite: func(request *httputil.ProxyRequest) {
				request.SetURL(target)
				request.Out.SetBasicAuth(user, password)
			},
			Transport: transport(args[3], "", ""),
		}
		listen(args, proxy)
	case "heads":
		heads(args)
	case "crowd":
		crowd(args)
	case "blob":
		blob(args)
	}
}

func registry(out http.ResponseWriter, request *http.Request) {
	if name, secret, _ := request.BasicAuth(); name != user || secret != password {
		out.Header().Set("WWW-Authenticate", `Basic realm="bench"`)
		out.WriteHeader(http.StatusUnauthorized)
		return
	}
	if !strings.Contains(request.URL.Path, "/blobs/") {
		out.Header().Set("Content-Length", "2")
		if request.Method == http.MethodGet {
			io.WriteString(out, "{}")
		}
		return
	}
	out.Header().Set("Content-Length", strconv.Itoa(blobSize))
	for sent := 0; sent < blobSize; sent += len(zeros) {
		if _, err := out.Write(zeros); err != nil {
			return
		}
	}
}

func listen(args []string, handler http.Handler) {
	// HTTP/1.1 throughout, as the mirror's side is.
	server := &http.Server{Addr: args[0], Handler: handler, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	log.Fatal(server.ListenAndServeTLS(args[1], args[2]))
}

func transport(ca, cert, key string) *http.Transport {
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	pem, err := os.ReadFile(ca)
	check(err)
	config.RootCAs.AppendCertsFromPEM(pem)
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		check(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 64, MaxConnsPerHost: 60}
}

func client(args []string) *http.Client {
	cert, key := args[2], args[3]
	if cert == "-" {
		cert, key = "", ""
	}
	return &http.Client{Transport: transport(args[1], cert, key)}
}

func ask(client *http.Client, method, url string) (*http.Response, error) {
	request, err := http.NewRequest(method, url, nil)
	check(err)
	if !strings.Contains(url, "?ns=") {
		request.SetBasicAuth(user, password)
	}
	return client.Do(request)
}

func head(client *http.Client, url string) bool {
	answer, err := ask(client, http.MethodHead, url)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func heads(args []string) {
	client := client(args)
	count, err := strconv.Atoi(args[4])
	check(err)
	for range 20 {
		if !head(client, args[0]) {
			log.Fatal("a HEAD failed")
		}
	}
	took := make([]time.Duration, count)
	for at := range took {
		began := time.Now()
		head(client, args[0])
		took[at] = time.Since(began)
	}
	slices.Sort(took)
	fmt.Println(took[count/2].Microseconds(), took[count*99/100].Microseconds())
}

func crowd(args []string) {
	client := client(args)
	count, err := strconv.Atoi(args[4])
	check(err)
	var good atomic.Int64
	var all sync.WaitGroup
	for range count {
		all.Add(1)
		go func() {
			defer all.Done()
			if head(client, args[0]) {
				good.Add(1)
			}
		}()
	}
	all.Wait()
	fmt.Println(good.Load())
}

func blob(args []string) {
	began := time.Now()
	answer, err := ask(client(args), http.MethodGet, args[0])
	check(err)
	count, err := io.Copy(io.Discard, answer.Body)
	check(err)
	if count != blobSize {
		log.Fatal("the blob is not whole: ", count, " ", answer.Status)
	}
	fmt.Printf("%.3f\n", time.Since(began).Seconds())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
