// Command keychain does what crane and ko do: go-containerregistry with its default keychain.
//
//	keychain pull REFERENCE            every byte of the image, checked against its digests
//	keychain copy REFERENCE REFERENCE
package main

import (
	"log"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var keychain = remote.WithAuthFromKeychain(authn.DefaultKeychain)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: keychain pull REFERENCE | keychain copy REFERENCE REFERENCE")
	}
	image, err := pull(os.Args[2])
	if err == nil && os.Args[1] == "copy" {
		err = push(os.Args[3], image)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func pull(reference string) (v1.Image, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return nil, err
	}
	got, err := remote.Get(ref, keychain)
	if err != nil {
		return nil, err
	}
	image, err := got.Image()
	if err != nil {
		return nil, err
	}
	return image, validate.Image(image)
}

func push(reference string, image v1.Image) error {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return err
	}
	return remote.Write(ref, image, keychain)
}
