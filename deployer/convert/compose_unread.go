package convert

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// The keys of Compose that are carried over, or that have a note of their own,
// by their paths; * is any name, and any place in a list. A path has all that
// is below it, unless there are longer ones.
var (
	readOfService = words(strings.Fields(`
		name image build.context build.dockerfile build.target build.args scale command entrypoint environment env_file label_file
		secrets.*.source secrets.*.target secrets.*.uid secrets.*.gid secrets.*.mode
		ports.*.name ports.*.mode ports.*.host_ip ports.*.target ports.*.published ports.*.protocol expose
		volumes.*.type volumes.*.source volumes.*.target volumes.*.read_only volumes.*.tmpfs.size volumes.*.tmpfs.mode tmpfs
		healthcheck.test healthcheck.interval healthcheck.timeout healthcheck.start_period healthcheck.retries healthcheck.disable
		restart stop_grace_period stop_signal depends_on.*.condition depends_on.*.required depends_on.*.restart links volumes_from
		user working_dir hostname labels network_mode extra_hosts dns privileged cap_add cap_drop security_opt
		networks.*.aliases networks.*.ipv4_address networks.*.ipv6_address networks.*.mac_address
		cpus cpu_shares mem_limit memswap_limit pids_limit ulimits logging.driver logging.options
		devices.*.source devices.*.target devices.*.permissions read_only init shm_size sysctls platform profiles container_name attach
		deploy.mode deploy.replicas deploy.placement.constraints deploy.placement.preferences.*.spread
		deploy.resources.limits.cpus deploy.resources.limits.memory deploy.resources.limits.pids
		deploy.restart_policy.condition deploy.restart_policy.max_attempts
		deploy.update_config.parallelism deploy.update_config.delay deploy.update_config.failure_action
		deploy.update_config.monitor deploy.update_config.max_failure_ratio deploy.update_config.order`))
	readOfProject = words(strings.Fields(`name services networks.*.name networks.*.external volumes secrets configs`))
)

// unread lists the keys that are set and that nothing reads, by their paths.
func unread(v reflect.Value, read []string) []string {
	var out []string
	walk(v, nil, nil, read, &out)
	slices.Sort(out)
	return out
}

func walk(v reflect.Value, path, pattern, read []string, out *[]string) {
	if !v.IsValid() || empty(v) {
		return
	}
	at := strings.Join(pattern, ".")
	if slices.Contains(read, at) {
		return
	}
	deeper := at == "" || slices.ContainsFunc(read, func(p string) bool { return strings.HasPrefix(p, at+".") })
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch {
	case deeper && v.Kind() == reflect.Struct:
		for name, field := range fieldsOf(v) {
			walk(field, append(slices.Clone(path), name), append(slices.Clone(pattern), name), read, out)
		}
	case deeper && v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			walk(v.MapIndex(key), append(slices.Clone(path), key.String()), append(slices.Clone(pattern), "*"), read, out)
		}
	case deeper && v.Kind() == reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), append(slices.Clone(path), fmt.Sprint(i)), append(slices.Clone(pattern), "*"), read, out)
		}
	default:
		*out = append(*out, strings.Join(path, "."))
	}
}

// empty tells whether a value is what it is when nobody sets it.
func empty(v reflect.Value) bool {
	if z, ok := reflect.TypeAssert[interface{ IsZero() bool }](v); ok && v.Kind() != reflect.Pointer {
		return z.IsZero()
	}
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil() || v.Elem().Kind() == reflect.Struct && empty(v.Elem())
	case reflect.Struct:
		for _, field := range fieldsOf(v) {
			if !empty(field) {
				return false
			}
		}
		return true
	}
	return v.IsZero()
}

// fieldsOf gives the fields of a struct by their keys. Extensions, which begin
// with x-, are for others.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag, ok := f.Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Type == reflect.TypeFor[types.Extensions](), name == "-", !f.IsExported():
		case strings.Contains(options, "inline") && f.Type.Kind() == reflect.Struct:
			maps.Copy(out, fieldsOf(v.Field(i)))
		case ok && name != "":
			out[name] = v.Field(i)
		}
	}
	return out
}
