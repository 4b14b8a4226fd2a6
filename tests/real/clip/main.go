// Command clip does what a Beta9 worker does to an image: CLIP indexes it, and asks its own chain of credential
// providers, the last of which is docker's configuration and so the helper.
//
//	clip keychain REGISTRY   prints USER SECRET as CLIP's keychain provider finds it
//	clip index REFERENCE     reads the image from its registry
//	clip secret REGISTRY     prints USER SECRET as CLIP takes them from the workspace secret on standard input
//	clip payload REFERENCE   reads the image with nothing but the workspace secret on standard input
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
		log.Fatal("usage: clip keychain REGISTRY | clip index REFERENCE | clip secret REGISTRY | clip payload REFERENCE")
	}
	run := map[string]func(context.Context, string) error{
		"keychain": keychain, "index": index, "secret": secret, "payload": payload,
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
	provider, err := given(ctx, registry)
	if err != nil {
		return err
	}
	found, err := provider.GetCredentials(ctx, registry, "")
	if err == nil {
		fmt.Println(found.Username, found.Password)
	}
	return err
}

func index(ctx context.Context, reference string) error {
	return read(ctx, reference, nil)
}

func payload(ctx context.Context, reference string) error {
	registry, _, _ := strings.Cut(reference, "/")
	provider, err := given(ctx, registry)
	if err != nil {
		return err
	}
	return read(ctx, reference, provider)
}

// given is the provider that CLIP makes of the workspace secret on standard input.
func given(ctx context.Context, registry string) (common.RegistryCredentialProvider, error) {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	keys, err := common.ParseCredentialsFromJSON(string(text))
	if err != nil {
		return nil, err
	}
	return common.CredentialsToProvider(ctx, registry, keys), nil
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
