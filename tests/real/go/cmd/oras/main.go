// Command oras does what the oras program does: its credential store over docker's configuration, and its client.
//
//	oras pull REFERENCE | login REGISTRY USER PASSWORD | logout REGISTRY
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

func main() {
	log.SetFlags(0)
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{AllowPlaintextPut: true})
	if err == nil {
		err = run(context.Background(), store, os.Args[1], os.Args[2:])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, store credentials.Store, verb string, args []string) error {
	switch verb {
	case "pull":
		repository, err := remote.NewRepository(args[0])
		if err != nil {
			return err
		}
		repository.Client = &auth.Client{Credential: credentials.Credential(store)}
		image, err := oras.Copy(ctx, repository, repository.Reference.Reference, memory.New(), "", oras.DefaultCopyOptions)
		if err == nil {
			fmt.Println(image.Digest)
		}
		return err
	case "login":
		registry, err := remote.NewRegistry(args[0])
		if err != nil {
			return err
		}
		return credentials.Login(ctx, store, registry, auth.Credential{Username: args[1], Password: args[2]})
	case "logout":
		return credentials.Logout(ctx, store, args[0])
	}
	return fmt.Errorf("no such verb: %s", verb)
}
