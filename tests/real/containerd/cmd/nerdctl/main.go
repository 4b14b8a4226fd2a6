// Command nerdctl pulls as nerdctl does, as far as credentials go: with nerdctl's own resolver, which reads
// $DOCKER_CONFIG/config.json and runs the helper that it names. Its daemon is left out.
//
//	nerdctl pull IMAGE     prints the digest of the manifest that it fetched
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/containerd/nerdctl/v2/pkg/imgutil/dockerconfigresolver"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 || os.Args[1] != "pull" {
		log.Fatal("usage: nerdctl pull IMAGE")
	}
	if err := pull(context.Background(), os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func pull(ctx context.Context, image string) error {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return err
	}
	resolver, err := dockerconfigresolver.New(ctx, reference.Domain(named))
	if err != nil {
		return err
	}
	name, descriptor, err := resolver.Resolve(ctx, named.String())
	if err != nil {
		return err
	}
	fetcher, err := resolver.Fetcher(ctx, name)
	if err != nil {
		return err
	}
	body, err := fetcher.Fetch(ctx, descriptor)
	if err != nil {
		return err
	}
	defer body.Close()
	manifest, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	fmt.Println(digest.FromBytes(manifest))
	return nil
}
