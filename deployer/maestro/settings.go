package maestro

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"batuta"
	"batuta/deployer"
)

// settings reads what a container has beside its image, command, variables and
// ports.
func (r *reader) settings(i *instance, limits, v *value) {
	s := &i.settings
	s.User, s.Workdir = r.text(v.get("username")), r.text(v.get("workdir"))
	s.NetworkMode = r.text(v.get("net"))
	s.Privileged = r.strictFlag(v.get("privileged"))
	s.CapAdd, s.CapDrop = r.texts(v.get("cap_add")), r.texts(v.get("cap_drop"))
	s.SecurityOpt, s.DNS = r.texts(v.get("security_opt")), r.texts(v.get("dns"))
	s.Limits = r.limits(limits, v.get("limits"))
	s.Ulimits = r.ulimits(v.get("ulimits"))
	s.Labels = r.labels(v.get("labels"))
	s.LogDriver = r.text(v.get("log_driver"))
	s.LogOptions = r.logOptions(s.LogDriver, v.get("log_opt"))
	s.Links = r.links(v.get("links"))
	for _, from := range r.texts(v.get("volumes_from")) {
		if name := batuta.InstanceName(from); !slices.Contains(s.VolumesFrom, name) {
			s.VolumesFrom = append(s.VolumesFrom, name)
		}
	}
	slices.Sort(s.VolumesFrom)
}

// strictFlag is a truth value that MaestroNG hands to Docker, which takes no
// other.
func (r *reader) strictFlag(v *value) bool {
	if !v.isNull() && v.kind != boolean {
		r.problem(v, fmt.Sprintf("%s is not true or false", v.python()), "write true or false")
		return false
	}
	return r.flag(v)
}

// limits reads the service's limits with the instance's own over them.
func (r *reader) limits(service, own *value) deployer.Limits {
	found := map[string]*value{}
	for _, from := range []*value{service, own} {
		if r.dict(from) {
			r.known(from, []string{"cpu", "memory", "swap"}, nil)
			for _, key := range from.keys {
				found[key.str] = from.get(key.str)
			}
		}
	}
	out := deployer.Limits{
		CPUShares: r.number(found["cpu"], 0, 1<<18, 0),
		Memory:    r.bytes(found["memory"], 0),
		Swap:      r.bytes(found["swap"], -1),
	}
	if out.Swap > 0 && out.Swap < out.Memory {
		r.warn(found["swap"], "Docker takes swap for memory and swap together, and refuses less than memory", fmt.Sprintf("write at least %d", out.Memory))
	}
	return out
}

var bytesForm = regexp.MustCompile(`^([0-9]{1,18})([kKmMgG]?)$`)

// bytes is a number of bytes, or digits with k, m or g.
func (r *reader) bytes(v *value, least int64) int64 {
	if v.isNull() {
		return 0
	}
	if v.kind == integer {
		return r.number(v, least, 1<<60, 0)
	}
	m := bytesForm.FindStringSubmatch(v.str)
	if v.kind != text || m == nil {
		r.problem(v, fmt.Sprintf("%s is not a size", v.python()), "write bytes, or a whole number with k, m or g: 512m")
		return 0
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30}[strings.ToLower(m[2])]
	if n > 1<<60>>shift {
		r.problem(v, fmt.Sprintf("%s is beyond reason", v.str), "")
		return 0
	}
	return n << shift
}

func (r *reader) ulimits(v *value) []deployer.Ulimit {
	var out []deployer.Ulimit
	r.each(v, func(name string, _, w *value) {
		u := deployer.Ulimit{Name: name}
		switch w.kind {
		case integer, boolean:
			u.Soft = r.number(&value{kind: integer, str: pythonNumber(w), written: w.written, line: w.line, column: w.column, path: w.path}, -1, 1<<62, 0)
			u.Hard = u.Soft
		case dict:
			r.known(w, []string{"soft", "hard"}, nil)
			soft, hard := w.get("soft"), w.get("hard")
			if soft.isNull() || hard.isNull() {
				r.problem(w, "want soft and hard", "write {soft: 1024, hard: 4096}")
				return
			}
			u.Soft, u.Hard = r.number(soft, -1, 1<<62, 0), r.number(hard, -1, 1<<62, 0)
		default:
			r.warn(w, fmt.Sprintf("MaestroNG leaves %s out, as %s is no number", name, w.python()), "write a number, or {soft: 1024, hard: 4096}")
			return
		}
		out = append(out, u)
	})
	slices.SortFunc(out, func(a, b deployer.Ulimit) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// pythonNumber is a whole number, as which Python's True and False count too.
func pythonNumber(v *value) string {
	switch v.str {
	case "True":
		return "1"
	case "False":
		return "0"
	}
	return v.str
}

// labels is a mapping, or a list of labels without values.
func (r *reader) labels(v *value) map[string]string {
	if v.isNull() {
		return nil
	}
	out := map[string]string{}
	if v.kind == list {
		for _, item := range v.items {
			label := r.text(item)
			if strings.Contains(label, "=") {
				r.warn(item, fmt.Sprintf("MaestroNG makes a label %q without a value of it", label), "write a mapping of labels")
			}
			out[label] = ""
		}
		return out
	}
	r.each(v, func(name string, _, w *value) {
		if w.kind == null {
			r.warn(w, fmt.Sprintf("label %s has no value", name), `write "" for an empty one`)
		}
		out[name] = r.text(w)
	})
	return out
}

func (r *reader) logOptions(driver string, v *value) map[string]string {
	if v.isNull() {
		return nil
	}
	if driver == "" {
		r.warn(v, "MaestroNG does not read log_opt without log_driver", "add log_driver: json-file, or what the ship uses")
		return nil
	}
	out := map[string]string{}
	r.each(v, func(name string, _, w *value) {
		r.trap(w)
		out[name] = w.python()
	})
	return out
}

func (r *reader) links(v *value) []deployer.Link {
	var out []deployer.Link
	r.each(v, func(name string, _, w *value) {
		if w.kind == list || w.kind == dict {
			r.problem(w, "want the name under which "+name+" is known, have "+w.kind.String(), "write instance: alias")
			return
		}
		alias := r.text(w)
		if alias == "" {
			alias = name
		}
		out = append(out, deployer.Link{Instance: batuta.InstanceName(name), Alias: alias})
	})
	slices.SortFunc(out, func(a, b deployer.Link) int { return strings.Compare(string(a.Instance), string(b.Instance)) })
	return out
}
