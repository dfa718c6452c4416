package convert

import (
	"reflect"
)

// common takes out of the instances what all of them have alike, and gives it
// as their service's: of maps each key, of anything else the whole.
func common(instances []service) service {
	var out service
	if len(instances) == 0 {
		return out
	}
	shared := reflect.ValueOf(&out).Elem()
	for field := range shared.NumField() {
		var all []reflect.Value
		for i := range instances {
			all = append(all, reflect.ValueOf(&instances[i]).Elem().Field(field))
		}
		if shared.Type().Field(field).Name == "Ship" {
			continue
		}
		if all[0].Kind() == reflect.Map {
			shareKeys(shared.Field(field), all)
		} else {
			shareWhole(shared.Field(field), all)
		}
	}
	return out
}

// shareWhole moves a value that all have.
func shareWhole(to reflect.Value, all []reflect.Value) {
	for _, v := range all[1:] {
		if !reflect.DeepEqual(v.Interface(), all[0].Interface()) {
			return
		}
	}
	to.Set(all[0])
	for _, v := range all {
		v.SetZero()
	}
}

// shareKeys moves the keys of a map that all have with one value.
func shareKeys(to reflect.Value, all []reflect.Value) {
	for _, key := range all[0].MapKeys() {
		value, alike := all[0].MapIndex(key), true
		for _, m := range all[1:] {
			other := m.MapIndex(key)
			alike = alike && other.IsValid() && reflect.DeepEqual(other.Interface(), value.Interface())
		}
		if !alike {
			continue
		}
		if to.IsNil() {
			to.Set(reflect.MakeMap(to.Type()))
		}
		to.SetMapIndex(key, value)
		for _, m := range all {
			m.SetMapIndex(key, reflect.Value{})
		}
	}
	for _, m := range all {
		if m.Len() == 0 {
			m.SetZero()
		}
	}
}
