// Command marshal reads {"registry","type","credentials"} from standard input and prints it as Go's encoding/json writes
// such a map, which is what Beta9 makes of a secret: the order of keys, and which characters are escaped, are what other
// programs compare with.
package main

import (
	"encoding/json"
	"log"
	"os"
)

// Secret is the blob inside a workspace secret.
type Secret struct {
	Registry    string            `json:"registry"`
	Type        string            `json:"type"`
	Credentials map[string]string `json:"credentials"`
}

func main() {
	var secret Secret
	if err := json.NewDecoder(os.Stdin).Decode(&secret); err != nil {
		log.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{
		"registry": secret.Registry, "type": secret.Type, "credentials": secret.Credentials,
	})
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(data)
}
