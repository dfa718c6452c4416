package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Process is a program that is kept running. It is killed if the program that
// started it dies.
type Process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed once err is set
	err   error
}

// Start runs a program; what it says goes to the file log.
func Start(log string, name string, args ...string) (*Process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(name, args...) //nolint:noctx // Kill ends it
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{cmd: cmd, log: log, ended: make(chan struct{})}
	started := make(chan error)
	go p.keep(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// keep starts the process and ends with it. The kernel kills it when the
// thread ends that has started it: here that one stays.
func (p *Process) keep(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	defer close(p.ended)
	p.err = p.cmd.Wait()
}

// Err tells whether and how the process ended, with the end of its log; nil
// while it runs.
func (p *Process) Err() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended: %w\n%s", filepath.Base(p.cmd.Path), errors.Join(errEnded, p.err), Tail(p.log))
	default:
		return nil
	}
}

var errEnded = errors.New("it should go on")

// ID is the process id.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Log is the file that has what the process says.
func (p *Process) Log() string { return p.log }

// Signal sends a signal to the process.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stopped is nil once every thread of the process is stopped by a signal,
// which takes a moment longer than to send it.
func (p *Process) Stopped() error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.ID()))
	if err != nil {
		return err
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended meanwhile
		} else if err != nil {
			return err
		}
		if _, after, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(after, "T") {
			return fmt.Errorf("a thread of %s is %.1s, not stopped", filepath.Base(p.cmd.Path), after)
		}
	}
	return nil
}

// Kill kills the process and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}
