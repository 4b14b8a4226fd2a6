// Command pull fetches an image as containerd 2 does: with its own code for hosts.toml, its resolver and its fetcher, and
// with no credential of its own. Its daemon, which unpacks what was fetched, is left out.
//
//	pull HOSTS_DIR IMAGE     prints the digest of each part that it fetched whole
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: pull HOSTS_DIR IMAGE")
	}
	if err := pull(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func pull(ctx context.Context, dir, image string) error {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return err
	}
	// As NewOCIRegistry in core/transfer/registry does.
	options := config.HostOptions{HostDir: config.HostDirFromRoot(dir)}
	resolver := docker.NewResolver(docker.ResolverOptions{Hosts: config.ConfigureHosts(ctx, options)})
	name, descriptor, err := resolver.Resolve(ctx, named.String())
	if err != nil {
		return err
	}
	fetcher, err := resolver.Fetcher(ctx, name)
	if err != nil {
		return err
	}
	text, err := fetch(ctx, fetcher, descriptor)
	if err != nil {
		return err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return err
	}
	for _, blob := range append(manifest.Layers, manifest.Config) {
		if _, err := fetch(ctx, fetcher, blob); err != nil {
			return err
		}
	}
	return nil
}

func fetch(ctx context.Context, fetcher remotes.Fetcher, descriptor ocispec.Descriptor) ([]byte, error) {
	body, err := fetcher.Fetch(ctx, descriptor)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	bytes, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	if is := digest.FromBytes(bytes); is != descriptor.Digest {
		return nil, fmt.Errorf("%s came in the place of %s", is, descriptor.Digest)
	}
	fmt.Println(descriptor.Digest)
	return bytes, nil
}
