// Command kubelet does what kubelet does for the credentials of an image, with kubelet's own code: it reads a
// CredentialProviderConfig, runs the helper, decodes its response strictly, keeps it, and looks the image up in it.
//
//	kubelet lookup CONFIG BIN_DIR IMAGE…            prints IMAGE USER PASSWORD for each credential that it finds
//	kubelet pod CONFIG BIN_DIR IMAGE TOKEN_FILE ANNOTATION=VALUE…   the same for a pod with this service account
//	kubelet match CONFIG                            prints those of the images on standard input that matchImages matches
//
// What kubelet logs goes to standard error.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	kubeletconfigv1 "k8s.io/kubelet/config/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/plugin"
)

const namespace, name, uid, podUID = "pulls", "puller", "0b7e0c5e-0000-4000-8000-000000000001", "0b7e0c5e-0000-4000-8000-000000000002"

func main() {
	log.SetFlags(0)
	run := map[string]func([]string) error{"lookup": lookup, "pod": pod, "match": match}
	if len(os.Args) < 3 || run[os.Args[1]] == nil {
		log.Fatal("usage: kubelet lookup|pod|match CONFIG …")
	}
	if err := run[os.Args[1]](os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func lookup(args []string) error {
	if err := plugin.RegisterCredentialProviderPlugins(args[0], args[1], nil, nil); err != nil {
		return err
	}
	// One kubelet for all images: what it keeps of the first is there for the next.
	for _, image := range args[2:] {
		show(image, plugin.NewExternalCredentialProviderDockerKeyring("", "", "", ""))
	}
	return nil
}

func pod(args []string) error {
	token, err := os.ReadFile(args[3])
	if err != nil {
		return err
	}
	annotations := map[string]string{}
	for _, arg := range args[4:] {
		key, value, _ := strings.Cut(arg, "=")
		annotations[key] = value
	}
	account := func(namespace, name string) (*corev1.ServiceAccount, error) {
		meta := metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uid, Annotations: annotations}
		return &corev1.ServiceAccount{ObjectMeta: meta}, nil
	}
	issue := func(_, _ string, request *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
		request.Status.Token = strings.TrimSpace(string(token))
		return request, nil
	}
	if err := plugin.RegisterCredentialProviderPlugins(args[0], args[1], issue, account); err != nil {
		return err
	}
	show(args[2], plugin.NewExternalCredentialProviderDockerKeyring(namespace, "pod", podUID, name))
	return nil
}

func show(image string, keyring credentialprovider.DockerKeyring) {
	found, _ := keyring.Lookup(image)
	for _, credential := range found {
		fmt.Println(image, credential.Username, credential.Password)
	}
	if len(found) == 0 {
		fmt.Println(image, "none")
	}
}

func match(args []string) error {
	config, err := read(args[0])
	if err != nil {
		return err
	}
	images := bufio.NewScanner(os.Stdin)
	for images.Scan() {
		for _, provider := range config.Providers {
			if matches(provider.MatchImages, images.Text()) {
				fmt.Println(images.Text())
			}
		}
	}
	return images.Err()
}

func matches(patterns []string, image string) bool {
	for _, pattern := range patterns {
		if matched, _ := credentialprovider.URLsMatchStr(pattern, image); matched {
			return true
		}
	}
	return false
}

func read(path string) (*kubeletconfigv1.CredentialProviderConfig, error) {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := kubeletconfigv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config := &kubeletconfigv1.CredentialProviderConfig{}
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	err = runtime.DecodeInto(codecs.UniversalDeserializer(), text, config)
	return config, err
}
