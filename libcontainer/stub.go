package libcontainer

import (
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

func (h *Host) Create(l *plan.Launch, spec *specs.Spec, raw []byte, io IO) (*Container, *Process, error) {
	panic("stub")
}
func (h *Host) Plan(l *plan.Launch, spec *specs.Spec, io IO) (*plan.Program, error) { panic("stub") }
func (h *Host) Load(id string) (*Container, error)                                  { panic("stub") }
func (h *Host) List() ([]*Container, []error, error)                                { panic("stub") }

func (c *Container) ID() string                                                  { panic("stub") }
func (c *Container) Status() (Status, error)                                     { panic("stub") }
func (c *Container) State() (*State, error)                                      { panic("stub") }
func (c *Container) Spec() (*specs.Spec, error)                                  { panic("stub") }
func (c *Container) Start() error                                                { panic("stub") }
func (c *Container) Signal(sig unix.Signal, all bool) error                      { panic("stub") }
func (c *Container) Delete(force bool) error                                     { panic("stub") }
func (c *Container) Pause() error                                                { panic("stub") }
func (c *Container) Resume() error                                               { panic("stub") }
func (c *Container) Pids() ([]int, error)                                        { panic("stub") }
func (c *Container) Exec(l *plan.Launch, io IO, o ExecOptions) (*Process, error) { panic("stub") }

type Container struct{}

func (p *Process) Wait() (int, error)           { panic("stub") }
func (p *Process) Signal(sig unix.Signal) error { panic("stub") }

var _ = os.Stdin
