package docker

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"batuta/deployer"
)

// Facts is what the ship is, and what it has left. Disk and load are asked
// where the Engine is: on this machine directly, else through a probe
// container. If that cannot be had, they are left out.
func (s *Ship) Facts(ctx context.Context) (deployer.Facts, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return deployer.Facts{}, s.fault(err, "ask what it is")
	}
	i, err := c.Info(ctx)
	if err != nil {
		return deployer.Facts{}, s.fault(err, "ask what it is")
	}
	f := deployer.Facts{
		Engine: i.ServerVersion, API: c.ClientVersion(), Platform: i.OSType + "/" + i.Architecture,
		CPUs: i.NCPU, Memory: i.MemTotal, Containers: i.Containers, Running: i.ContainersRunning,
	}
	f.Time, _ = time.Parse(time.RFC3339Nano, i.SystemTime)
	m, err := s.measure(ctx, i.DockerRootDir)
	if err == nil {
		f.Load, f.DiskFree, f.DiskSize = m.Load, m.DiskFree, m.DiskSize
	}
	return f, nil
}

// measures is what only somebody on the ship can tell.
type measures struct {
	Load     float64 `json:"load"`
	DiskFree int64   `json:"disk_free"`
	DiskSize int64   `json:"disk_size"`
}

// measureTimeout bounds how long a ship may take that has to be given a probe
// container first.
const measureTimeout = 20 * time.Second

func (s *Ship) measure(ctx context.Context, dataRoot string) (measures, error) {
	if s.origin.local() {
		if m, err := takeMeasures(dataRoot); err == nil {
			return m, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	a, err := s.remote.ask(ctx, question{Measure: true})
	if err != nil || a.Measures == nil {
		return measures{}, err
	}
	return *a.Measures, nil
}

// takeMeasures tells of this machine, and of the disk that has a directory.
func takeMeasures(dir string) (m measures, err error) {
	if m.DiskFree, m.DiskSize, err = diskOf(dir); err != nil {
		return m, err
	}
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return m, err
	}
	_, err = fmt.Fscan(strings.NewReader(string(text)), &m.Load)
	return m, err
}
