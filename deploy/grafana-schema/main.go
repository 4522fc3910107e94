// Reads Grafana dashboards as strictly as the types of Grafana's own SDK allow: what is unknown,
// missing or of another type is told with its place. Built by tools/set-up, run by deploy/check.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// problems tells what is wrong with one file; empty if nothing is.
func problems(name string) string {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	var read dashboard.Dashboard
	// An empty list of errors is no nil here: the text decides.
	if err := read.UnmarshalJSONStrict(raw); err != nil && err.Error() != "" {
		return err.Error()
	}
	if err := read.Validate(); err != nil && err.Error() != "" {
		return err.Error()
	}
	if len(read.Panels) == 0 {
		return "no panels"
	}
	return ""
}

func main() {
	plugins.RegisterDefaultPlugins()
	failed := false
	for _, name := range os.Args[1:] {
		if told := problems(name); told != "" {
			fmt.Printf("%s: %s\n", name, told)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
