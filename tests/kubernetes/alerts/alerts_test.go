// Package alerts evaluates the chart's alerts and the expressions of its dashboard with Prometheus'
// own engine: each alert once where it has to fire and once where it must not.
package alerts

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"go.yaml.in/yaml/v3"
)

// The alerts as the chart renders them.
const rendered = "../rendered/monitored.yaml"

const dashboard = "../../../charts/aci-operator/files/dashboard.json"

// A scenario of one hour, a sample a minute.
type scenario struct {
	alert  string
	series []string
	// What the alert's expression gives at its end; nothing where it must not fire.
	fires []string
}

const (
	labels = `{kind="ContainerGroup",name="web",namespace="app"}`
	web    = `{kind="ContainerGroup", name="web", namespace="app"}`
	end    = 3600
	hour   = 3600
)

func gauge(metric string, value int) string {
	return fmt.Sprintf("%s%s %dx60", metric, labels, value)
}

func endsIn(seconds int) []string {
	return []string{gauge("aci_operator_certificate_not_after_timestamp_seconds", end+seconds)}
}

func requests(code string, perMinute int) string {
	return fmt.Sprintf(`aci_operator_azure_requests_total{operation="put",code="%s"} 0+%dx60`, code, perMinute)
}

func passes(perMinute int) string {
	return fmt.Sprintf(`aci_operator_reconcile_total{kind="ContainerGroup",reason="InSync"} 5+%dx60`, perMinute)
}

func is(value string) []string { return []string{web + " " + value} }

var scenarios = []scenario{
	{"AciOperatorCertificateEnds", endsIn(35 * hour), is("126000")},
	{"AciOperatorCertificateEnds", endsIn(37 * hour), nil},
	{"AciOperatorCertificateEndsSoon", endsIn(71 * hour), is("255600")},
	{"AciOperatorCertificateEndsSoon", endsIn(73 * hour), nil},
	// Two Pods may show the same object after a change of leaders: the younger value counts.
	{"AciOperatorCertificateEnds", []string{
		`aci_operator_certificate_not_after_timestamp_seconds{kind="ContainerGroup",name="web",namespace="app",pod="a"} 0x60`,
		`aci_operator_certificate_not_after_timestamp_seconds{kind="ContainerGroup",name="web",namespace="app",pod="b"} 9999999x60`,
	}, nil},
	{"AciOperatorCertificateNotRenewed", []string{
		gauge("aci_operator_certificate_renewal_timestamp_seconds", -100),
	}, is("3700")},
	{"AciOperatorCertificateNotRenewed", []string{
		gauge("aci_operator_certificate_renewal_timestamp_seconds", 100),
	}, nil},
	{"AciOperatorNotReady", []string{gauge("aci_operator_ready", 0)}, is("0")},
	{"AciOperatorNotReady", []string{gauge("aci_operator_ready", 1)}, nil},
	{"AciOperatorIdle", []string{gauge("aci_operator_ready", 1), passes(0)}, []string{"{} 0"}},
	{"AciOperatorIdle", []string{gauge("aci_operator_ready", 1), passes(1)}, nil},
	// Nothing to do is no trouble.
	{"AciOperatorIdle", []string{passes(0)}, nil},
	{"AciOperatorDown", nil, []string{`{} 1`}},
	{"AciOperatorDown", []string{`up{job="aci-operator-metrics",pod="a"} 0x60`}, []string{`{} 1`}},
	{"AciOperatorDown", []string{
		`up{job="aci-operator-metrics",pod="a"} 0x60`, `up{job="aci-operator-metrics",pod="b"} 1x60`,
	}, nil},
	{"AciOperatorAzureFails", []string{requests("200", 3), requests("503", 1)}, []string{`{operation="put"} 0.25`}},
	{"AciOperatorAzureFails", []string{requests("200", 3), requests("0", 1)}, []string{`{operation="put"} 0.25`}},
	{"AciOperatorAzureFails", []string{requests("200", 1), requests("404", 1), requests("409", 1)}, nil},
	{"AciOperatorAzureFails", []string{requests("200", 9), requests("403", 1)}, nil},
	{"AciOperatorThrottled", []string{requests("429", 60)}, []string{`{operation="put"} 1`}},
	{"AciOperatorThrottled", []string{requests("200", 60)}, nil},
}

func TestAlerts(t *testing.T) {
	rules := rules(t)
	fired, silent := map[string]bool{}, map[string]bool{}
	for number, scenario := range scenarios {
		expression, there := rules[scenario.alert]
		if !there {
			t.Fatalf("the chart has no alert %s", scenario.alert)
		}
		kind := silent
		if scenario.fires != nil {
			kind = fired
		}
		kind[scenario.alert] = true
		t.Run(fmt.Sprintf("%s/%d", scenario.alert, number), func(t *testing.T) {
			script := "load 1m\n"
			for _, series := range append([]string{"something_else 0x60"}, scenario.series...) {
				script += "  " + series + "\n"
			}
			script += "\neval instant at 60m " + expression + "\n"
			for _, sample := range scenario.fires {
				script += "  " + sample + "\n"
			}
			engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
			promqltest.RunTest(t, script, engine)
		})
	}
	for alert := range rules {
		if !fired[alert] || !silent[alert] {
			t.Errorf("%s has to be tried both ways", alert)
		}
	}
}

// Expressions by alert.
func rules(t *testing.T) map[string]string {
	file, err := os.Open(rendered)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	documents := yaml.NewDecoder(file)
	for {
		var document struct {
			Kind string
			Spec struct {
				Groups []struct {
					Rules []struct{ Alert, Expr string }
				}
			}
		}
		if err := documents.Decode(&document); err != nil {
			t.Fatalf("no PrometheusRule in %s: %v", rendered, err)
		}
		if document.Kind != "PrometheusRule" {
			continue
		}
		found := map[string]string{}
		for _, group := range document.Spec.Groups {
			for _, rule := range group.Rules {
				found[rule.Alert] = strings.Join(strings.Fields(rule.Expr), " ")
			}
		}
		return found
	}
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Panels) == 0 {
		t.Fatal("no panel")
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			// Grafana's own variable.
			expression := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(expression); err != nil {
				t.Errorf("%s: %v", panel.Title, err)
			}
		}
	}
}
