// Command hosts prints what containerd 2's transfer service, by its own code, makes of a config_path: the hosts that it asks
// for the images of a registry, in their order.
//
//	hosts CONFIG_PATH REGISTRY
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/containerd/containerd/v2/core/remotes/docker/config"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: hosts CONFIG_PATH REGISTRY")
	}
	// As NewOCIRegistry in core/transfer/registry does with what the CRI plugin hands it.
	options := config.HostOptions{HostDir: config.HostDirFromRoot(os.Args[1])}
	hosts, err := config.ConfigureHosts(context.Background(), options)(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for _, host := range hosts {
		fmt.Println(host.Host)
	}
}
