// Renders a Helm chart with the template engine and the functions that Helm itself is built on (text/template, sprig), for a
// test on a machine without Helm: render CHART-FOLDER < values.yaml. Prints every file after a line "# Source: NAME". Of Helm's
// own functions it has include, required, toYaml and fail; values of the chart are overridden as Helm does it.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(text []byte) map[string]interface{} {
	values := map[string]interface{}{}
	check(yaml.Unmarshal(text, &values))
	return values
}

// Later values win; maps are merged, null takes away (https://helm.sh/docs/chart_template_guide/values_files/).
func merge(into, from map[string]interface{}) {
	for name, value := range from {
		if value == nil {
			delete(into, name)
			continue
		}
		inner, isMap := value.(map[string]interface{})
		present, was := into[name].(map[string]interface{})
		if isMap && was {
			merge(present, inner)
		} else {
			into[name] = value
		}
	}
}

func main() {
	chart := os.Args[1]
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	check(err)
	values := read(text)
	given, err := io.ReadAll(os.Stdin)
	check(err)
	merge(values, read(given))
	text, err = os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	check(err)
	about := map[string]interface{}{}
	for name, value := range read(text) {
		about[strings.ToUpper(name[:1])+name[1:]] = value
	}
	context := map[string]interface{}{
		"Values":  values,
		"Chart":   about,
		"Release": map[string]interface{}{"Name": "night", "Namespace": "ops", "Service": "Helm"},
	}

	all := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	functions["include"] = func(name string, data interface{}) (string, error) {
		var out strings.Builder
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	functions["required"] = func(why string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, fmt.Errorf("%s", why)
		}
		return value, nil
	}
	functions["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	all.Funcs(functions)

	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	sort.Strings(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(err)
		_, err = all.New(filepath.Base(file)).Parse(string(text))
		check(err)
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "_") {
			continue
		}
		var out strings.Builder
		check(all.ExecuteTemplate(&out, filepath.Base(file), context))
		fmt.Printf("---\n# Source: %s\n%s\n", filepath.Base(file), out.String())
	}
}
