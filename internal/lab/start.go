package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"batuta/internal/lab/host"
)

// startTimeout bounds how long a keeper may take to answer. It may first have
// to wait for another one to take the lab down, and to clear what a killed one
// left.
const startTimeout = time.Minute

// startKeeper compiles the keeper and runs it as root, apart from this
// program, and waits until it answers. Of several started at once one serves,
// and the others end well.
func startKeeper(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "batuta-lab-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // a running program does not need its file
	program := filepath.Join(dir, "lab")
	if err := host.Run(ctx, "go", "build", "-o", program, "batuta/internal/lab/cmd/lab"); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()

	cmd := exec.Command(asRoot(program)[0], append(asRoot(program)[1:], "keep")...) //nolint:noctx // it outlives this program
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the keeper: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the keeper, or with this program
	return keeperAnswers(ctx, ended, log.Name())
}

// keeperAnswers waits for a keeper, this one or another, to take connections.
func keeperAnswers(ctx context.Context, ended <-chan error, log string) error {
	var failure error
	err := Eventually(ctx, startTimeout, func() error {
		select {
		case err := <-ended:
			if err != nil {
				failure = fmt.Errorf("the keeper ended: %w\n%s", err, host.Tail(log))
			}
		default:
		}
		if failure != nil {
			return nil
		}
		l, err := connect(ctx)
		if err != nil {
			return err
		}
		return l.Close()
	})
	return errors.Join(failure, err)
}

// asRoot is the command line that runs program as root.
func asRoot(program string) []string {
	if os.Geteuid() == 0 {
		return []string{program}
	}
	return []string{"sudo", "-n", "-H", "--preserve-env=http_proxy,https_proxy,no_proxy", program}
}

// keeperGone is nil when no keeper holds its lock.
func keeperGone() error {
	lock, err := os.Open(Lock)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("the lab is still being taken down: %w", err)
	}
	return nil
}
