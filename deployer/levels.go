package deployer

// levels keep things by how many instances they have. What is in them must be
// taken out before its number changes. All that they do takes constant time,
// counted over the whole of a placement.
type levels[T interface{ count() int }] struct {
	at        [][]T // by number; in each the first to be chosen comes first
	low, high int   // no thing has a number outside of these
}

func (l *levels[T]) put(thing T) {
	n := thing.count()
	for len(l.at) <= n {
		l.at = append(l.at, nil)
	}
	l.at[n] = append(l.at[n], thing)
	l.low, l.high = min(l.low, n), max(l.high, n)
}

func (l *levels[T]) empty() bool {
	for l.low <= l.high && l.low < len(l.at) && len(l.at[l.low]) == 0 {
		l.low++
	}
	return l.low > l.high || l.low >= len(l.at)
}

// least takes out the first of those with the fewest instances.
func (l *levels[T]) least() (thing T, some bool) {
	if l.empty() {
		return thing, false
	}
	thing, l.at[l.low] = l.at[l.low][0], l.at[l.low][1:]
	return thing, true
}

// most takes out the last of those with the most instances.
func (l *levels[T]) most() (thing T, some bool) {
	if l.empty() {
		return thing, false
	}
	for len(l.at[l.high]) == 0 {
		l.high--
	}
	last := len(l.at[l.high]) - 1
	thing, l.at[l.high] = l.at[l.high][last], l.at[l.high][:last]
	return thing, true
}

// pair takes out one of the least and one of the most, if they are off by two
// or more.
func (l *levels[T]) pair() (low, high T, off bool) {
	low, some := l.least()
	if !some {
		return low, high, false
	}
	high, another := l.most()
	if another && high.count()-low.count() >= 2 {
		return low, high, true
	}
	l.put(low)
	if another {
		l.put(high)
	}
	return low, high, false
}
