// Command clip does what a Beta9 worker does to an image: CLIP indexes it, and asks its own chain of credential
// providers, the last of which is docker's configuration and so the helper.
//
//	clip keychain REGISTRY   prints USER SECRET as CLIP's keychain provider finds it
//	clip index REFERENCE     reads the image from its registry
//	clip payload REFERENCE   the same with nothing but the payload on standard input, as Beta9 hands it to a worker
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/beam-cloud/clip/pkg/common"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: clip keychain REGISTRY | clip index REFERENCE | clip payload REFERENCE")
	}
	run := map[string]func(context.Context, string) error{"keychain": keychain, "index": index, "payload": payload}[os.Args[1]]
	if err := run(context.Background(), os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func keychain(ctx context.Context, registry string) error {
	found, err := common.NewKeychainProvider().GetCredentials(ctx, registry, "")
	if err == nil {
		fmt.Println(found.Username, found.Password)
	}
	return err
}

func index(ctx context.Context, reference string) error {
	return read(ctx, reference, nil)
}

func payload(ctx context.Context, reference string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	keys, err := common.ParseCredentialsFromJSON(string(text))
	if err != nil {
		return err
	}
	registry, _, _ := strings.Cut(reference, "/")
	return read(ctx, reference, common.CredentialsToProvider(ctx, registry, keys))
}

func read(ctx context.Context, reference string, provider common.RegistryCredentialProvider) error {
	dir, err := os.MkdirTemp("", "clip")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return clip.CreateFromOCIImage(ctx, clip.CreateFromOCIImageOptions{
		ImageRef:     reference,
		OutputPath:   filepath.Join(dir, "image.clip"),
		CredProvider: provider,
	})
}
