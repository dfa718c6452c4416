package trial

import "io"

// ReadReport is readReport, for the tests of the formats.
func ReadReport(content io.Reader, report *Report) error { return readReport(content, report) }
