// Command helper-client calls the helper through docker's own client library, the one that docker, crane, oras and
// buildkit are built with. Credentials are printed and given as USER SECRET.
//
//	helper-client get URL | store URL USER SECRET | erase URL | list
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		if credentials.IsErrCredentialsNotFound(err) {
			log.Fatal("recognised as: not found")
		}
		log.Fatal(err)
	}
}

func run(verb string, args []string) error {
	helper := client.NewShellProgramFunc("docker-credential-beta9")
	switch verb {
	case "get":
		found, err := client.Get(helper, args[0])
		if err == nil {
			fmt.Println(found.Username, found.Secret)
		}
		return err
	case "store":
		return client.Store(helper, &credentials.Credentials{ServerURL: args[0], Username: args[1], Secret: args[2]})
	case "erase":
		return client.Erase(helper, args[0])
	case "list":
		users, err := client.List(helper)
		for server, user := range users {
			fmt.Println(server, user)
		}
		return err
	}
	return fmt.Errorf("no such verb: %s", verb)
}
