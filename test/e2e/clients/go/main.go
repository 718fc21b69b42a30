// The client that kubectl has, in front of Crest: client-go's executor of remote commands over WebSocket.
//
// Takes the URL of an exec or attach session as its argument and the token from CREST_TOKEN. Standard input,
// output and error are the session's, as far as the URL asks for them; the exit code is the command's.
// With tty=true the terminal has the size of CREST_SIZE, as in 120x40.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
)

// What is no exit of the command.
const failed = 125

func main() {
	err := run(os.Args[1], os.Getenv("CREST_TOKEN"))
	var exit exec.CodeExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.Code)
	case err != nil:
		fmt.Fprintf(os.Stderr, "client-go: %v\n", err)
		os.Exit(failed)
	}
}

func run(address, token string) error {
	target, err := url.Parse(address)
	if err != nil {
		return err
	}
	config := &rest.Config{Host: target.Scheme + "://" + target.Host, BearerToken: token}
	executor, err := remotecommand.NewWebSocketExecutor(config, "GET", address)
	if err != nil {
		return err
	}
	asked := target.Query()
	options := remotecommand.StreamOptions{Tty: asked.Get("tty") == "true"}
	if asked.Get("stdin") == "true" {
		options.Stdin = os.Stdin
	}
	if asked.Get("stdout") == "true" {
		options.Stdout = os.Stdout
	}
	if asked.Get("stderr") == "true" {
		options.Stderr = os.Stderr
	}
	if options.Tty {
		options.TerminalSizeQueue = &sizes{}
	}
	return executor.StreamWithContext(context.Background(), options)
}

// A terminal that keeps its size.
type sizes struct {
	told bool
}

// Next gives the size once and then says that there will be no other.
func (queue *sizes) Next() *remotecommand.TerminalSize {
	if queue.told {
		return nil
	}
	queue.told = true
	var size remotecommand.TerminalSize
	if _, err := fmt.Sscanf(os.Getenv("CREST_SIZE"), "%dx%d", &size.Width, &size.Height); err != nil {
		return nil
	}
	return &size
}
