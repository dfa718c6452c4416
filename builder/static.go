package builder

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"batuta"
)

// The names of the local directories in a static image's graph.
const (
	localBinary = program
	localFiles  = "files"
)

// Where a static image keeps its files, and who serves them.
const (
	filesRoot    = "/srv"
	filesAddress = ":8080"
	nobody       = "65534:65534"
)

// static is the solution of a recipe of files alone: Batuta's runtime image,
// which is its binary on nothing, and the files above it. Whatever differs
// between two checkouts of one revision (times, owners, the umask) is set to
// a constant, so that one revision always gives one digest.
func (b *Builder) static(ctx context.Context, r Request) (solution, error) {
	files, err := b.directory(r, "static", r.Recipe.Static)
	if err != nil {
		return solution{}, err
	}
	files, err = served(files)
	if err != nil {
		return solution{}, err
	}
	self, err := newOneFile(program, b.config.Binary)
	if err != nil {
		return solution{}, &batuta.Error{Kind: batuta.Internal, Message: "find Batuta's own binary for a static image", Err: err}
	}
	graph, err := staticGraph(r).Marshal(ctx)
	if err != nil {
		return solution{}, err
	}
	config, err := json.Marshal(staticConfig(r))
	if err != nil {
		return solution{}, err
	}
	build := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		result, err := c.Solve(ctx, gateway.SolveRequest{Definition: graph.ToPB()})
		if err != nil {
			return nil, err
		}
		result.AddMeta(exptypes.ExporterImageConfigKey, config)
		return result, nil
	}
	return solution{build: build, options: client.SolveOpt{
		LocalMounts: map[string]fsutil.FS{localBinary: self, localFiles: files},
		SharedKey:   "batuta",
	}}, nil
}

// staticGraph has two layers: the binary, the same for every app, and the
// files. The keys let the daemon keep each where it finds it again.
func staticGraph(r Request) llb.State {
	epoch := llb.WithCreatedTime(time.Unix(0, 0))
	self := llb.Local(localBinary, llb.SharedKeyHint(localBinary), llb.WithCustomName("load batuta"))
	files := llb.Local(localFiles, llb.SharedKeyHint(r.sharedKey()), llb.WithCustomName("load "+r.Recipe.Static))
	all := &llb.CopyInfo{CopyDirContentsOnly: true}
	return llb.Scratch().
		File(llb.Copy(self, "/", "/", all, epoch), llb.WithCustomName("add batuta")).
		File(llb.Copy(files, "/", "/", all, epoch), llb.WithCustomName("add "+r.Recipe.Static))
}

// staticConfig is the image's configuration. Its history has an entry for
// each layer, for else the daemon would add its own, with the time of day.
func staticConfig(r Request) ocispecs.Image {
	epoch := time.Unix(0, 0).UTC()
	return ocispecs.Image{
		Created:  &epoch,
		Platform: ocispecs.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Config: ocispecs.ImageConfig{
			User:         nobody,
			WorkingDir:   filesRoot,
			Entrypoint:   []string{"/" + program, "files", "--root", filesRoot, "--listen", filesAddress},
			ExposedPorts: map[string]struct{}{"8080/tcp": {}},
			Labels: map[string]string{
				ocispecs.AnnotationRevision: string(r.Revision),
				ocispecs.AnnotationTitle:    string(r.App),
			},
		},
		RootFS: ocispecs.RootFS{Type: "layers"},
		History: []ocispecs.History{
			{Created: &epoch, CreatedBy: "batuta"},
			{Created: &epoch, CreatedBy: "files of " + r.Recipe.Static},
		},
	}
}

// served is the files at the place where the image has them. They come there
// in their directory, because the time of one that the daemon had to make for
// them would be the time of day.
func served(files fsutil.FS) (fsutil.FS, error) {
	files, err := fsutil.NewFilterFS(files, &fsutil.FilterOpt{Map: normalise})
	if err != nil {
		return nil, err
	}
	return fsutil.SubDirFS([]fsutil.Dir{{
		Stat: &types.Stat{Path: strings.TrimPrefix(filesRoot, "/"), Mode: uint32(fs.ModeDir | 0o755)},
		FS:   files,
	}})
}

// normalise sets what depends on how the tree was checked out, except the
// time, by which a daemon sees that a file has changed; the graph sets that.
func normalise(_ string, s *types.Stat) fsutil.MapResult {
	mode := fs.FileMode(s.Mode)
	switch {
	case mode.IsDir(), mode.IsRegular() && mode&0o111 != 0:
		mode = mode.Type() | 0o755
	case mode.IsRegular():
		mode = 0o644
	}
	s.Mode = uint32(mode)
	s.Xattrs = nil
	return fsutil.MapResultKeep
}

// oneFile is a directory that holds one file under a name of our choice.
type oneFile struct {
	name string
	path string // on this machine
	stat *types.Stat
}

func newOneFile(name, path string) (oneFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return oneFile{}, err
	}
	return oneFile{name, path, &types.Stat{
		Path: name, Mode: 0o755, Size: info.Size(), ModTime: info.ModTime().UnixNano(),
	}}, nil
}

// Walk visits the file.
func (f oneFile) Walk(_ context.Context, _ string, visit fs.WalkDirFunc) error {
	return visit(f.name, &fsutil.DirEntryInfo{Stat: f.stat}, nil)
}

// Open opens the file; a daemon can ask for no other.
func (f oneFile) Open(string) (io.ReadCloser, error) { return os.Open(f.path) }
