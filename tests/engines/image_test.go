// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// image is the name of the only image, in every engine.
const image = "docker.io/library/engines:1"

// The image's root file system as a tar file, and as an OCI image in a tar file.
var (
	rootTar  = filepath.Join(base, "root.tar")
	imageTar = filepath.Join(base, "image.tar")
)

// makeImages writes both archives: busybox with its links, this test binary as /bin/probe, and a few files to test with.
func makeImages() error {
	layer, err := rootArchive()
	if err != nil {
		return err
	}
	archive, err := ociArchive(layer, image, "/bin/sh")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(rootTar, layer, 0o644), os.WriteFile(imageTar, archive, 0o644))
}

// A tarball collects files in memory. It keeps its first error.
type tarball struct {
	buffer bytes.Buffer
	writer *tar.Writer
	err    error
}

func newTarball() *tarball {
	b := &tarball{}
	b.writer = tar.NewWriter(&b.buffer)
	return b
}

func (b *tarball) add(header tar.Header, content []byte) {
	header.Size = int64(len(content))
	if b.err == nil {
		b.err = b.writer.WriteHeader(&header)
	}
	if b.err == nil && len(content) > 0 {
		_, b.err = b.writer.Write(content)
	}
}

func (b *tarball) dir(name string, mode int64) {
	b.add(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}, nil)
}

func (b *tarball) file(name string, mode int64, content []byte) {
	b.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

func (b *tarball) link(name, target string) {
	b.add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (b *tarball) close() ([]byte, error) {
	err := errors.Join(b.err, b.writer.Close()) // writes the end of the archive
	return b.buffer.Bytes(), err
}

// rootArchive returns the image's root file system as a tar file.
func rootArchive() ([]byte, error) {
	b := newTarball()
	for _, dir := range []string{"bin", "dev", "etc", "proc", "sys", "run", "var", "home", "data", "target", "usr", "usr/bin"} {
		b.dir(dir, 0o755)
	}
	b.dir("tmp", 0o1777)
	b.link("link", "/target")
	b.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/home:/bin/sh\napp:x:1000:1000::/data:/bin/sh\n"))
	b.file("etc/group", 0o644, []byte("root:x:0:\napp:x:1000:\nextra:x:2000:app\n"))
	b.file("data/kept", 0o644, []byte("from the image\n"))
	b.file("notexec", 0o644, []byte("#!/bin/sh\n"))
	b.file("garbage", 0o755, []byte("\x7fnot a program\n"))
	if err := b.busybox(); err != nil {
		return nil, err
	}
	if err := b.probe(); err != nil {
		return nil, err
	}
	return b.close()
}

// busybox adds the host's busybox and a link for each of its commands.
func (b *tarball) busybox() error {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	if err := static(path); err != nil {
		return err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b.file("bin/busybox", 0o755, program)
	commands, err := exec.Command(path, "--list").Output()
	for _, command := range strings.Fields(string(commands)) {
		if command != "busybox" {
			b.link("bin/"+command, "busybox")
		}
	}
	return err
}

// probe adds this test binary, which acts as the probe if it has that name.
func (b *tarball) probe() error {
	if err := static("/proc/self/exe"); err != nil {
		return err
	}
	program, err := os.ReadFile("/proc/self/exe")
	b.file("bin/probe", 0o755, program)
	return err
}

// static returns an error if a program needs a dynamic loader: the image has none.
func static(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not a static program (install busybox-static; test with CGO_ENABLED=0)", path)
		}
	}
	return nil
}

// ociArchive returns a tar file with an OCI image layout (image-layout.md of the image specification). The image has
// one layer, a name and a command.
func ociArchive(layer []byte, name string, command ...string) ([]byte, error) {
	b := newTarball()
	blob := func(kind string, content []byte) map[string]any {
		sum := fmt.Sprintf("%x", sha256.Sum256(content))
		b.file("blobs/sha256/"+sum, 0o644, content)
		return map[string]any{"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + sum, "size": len(content)}
	}
	encode := func(v any) []byte {
		data, err := json.Marshal(v)
		b.err = errors.Join(b.err, err)
		return data
	}
	config := map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Env": []string{"PATH=/usr/bin:/bin", "FROM=image"}, "WorkingDir": "/data", "Cmd": command},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	}
	manifest := map[string]any{
		"schemaVersion": 2,
		"mediaType":     "application/vnd.oci.image.manifest.v1+json",
		"config":        blob("config.v1+json", encode(config)),
		"layers":        []any{blob("layer.v1.tar", layer)},
	}
	reference := blob("manifest.v1+json", encode(manifest))
	reference["annotations"] = map[string]string{"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
	b.file("index.json", 0o644, encode(map[string]any{"schemaVersion": 2, "manifests": []any{reference}}))
	b.file("oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return b.close()
}
