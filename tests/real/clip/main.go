// Command clip does what a Beta9 worker does to an image: CLIP indexes it, and asks its own chain of credential
// providers, the last of which is docker's configuration and so the helper.
//
//	clip keychain REGISTRY   prints USER SECRET as CLIP's keychain provider finds it
//	clip index REFERENCE     reads the image from its registry
//	clip secret REGISTRY     prints USER SECRET as CLIP takes them from the workspace secret on standard input
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/beam-cloud/clip/pkg/common"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: clip keychain REGISTRY | clip index REFERENCE | clip secret REGISTRY")
	}
	run := map[string]func(context.Context, string) error{
		"keychain": keychain, "index": index, "secret": secret,
	}[os.Args[1]]
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

func secret(ctx context.Context, registry string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	keys, err := common.ParseCredentialsFromJSON(string(text))
	if err != nil {
		return err
	}
	found, err := common.CredentialsToProvider(ctx, registry, keys).GetCredentials(ctx, registry, "")
	if err == nil {
		fmt.Println(found.Username, found.Password)
	}
	return err
}

func index(ctx context.Context, reference string) error {
	dir, err := os.MkdirTemp("", "clip")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return clip.CreateFromOCIImage(ctx, clip.CreateFromOCIImageOptions{
		ImageRef:   reference,
		OutputPath: filepath.Join(dir, "image.clip"),
	})
}
