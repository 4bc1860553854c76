// SPDX-License-Identifier: Apache-2.0

package rdt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// Stats has the statistics of a class of service, with runc's keys.
type Stats struct {
	L3Info       *L3Info     `json:"l3_cache_info,omitempty"`
	L3SchemaRoot string      `json:"l3_cache_schema_root,omitempty"`
	L3Schema     string      `json:"l3_cache_schema,omitempty"`
	MBInfo       *MBInfo     `json:"mem_bw_info,omitempty"`
	MBSchemaRoot string      `json:"mem_bw_schema_root,omitempty"`
	MBSchema     string      `json:"mem_bw_schema,omitempty"`
	Bandwidth    []Bandwidth `json:"mbm_stats,omitempty"` // by cache domain
	Occupancy    []Occupancy `json:"cmt_stats,omitempty"` // by cache domain
}

// L3Info has the hardware's limits of the L3 cache.
type L3Info struct {
	CbmMask    string `json:"cbm_mask,omitempty"`
	MinCbmBits uint64 `json:"min_cbm_bits,omitempty"`
	NumClosids uint64 `json:"num_closids,omitempty"`
}

// MBInfo has the hardware's limits of memory bandwidth.
type MBInfo struct {
	BandwidthGran uint64 `json:"bandwidth_gran,omitempty"`
	DelayLinear   uint64 `json:"delay_linear,omitempty"`
	MinBandwidth  uint64 `json:"min_bandwidth,omitempty"`
	NumClosids    uint64 `json:"num_closids,omitempty"`
}

// Bandwidth counts the bytes between the cache and memory, all of them and those of the
// local NUMA node.
type Bandwidth struct {
	Total uint64 `json:"mbm_total_bytes"`
	Local uint64 `json:"mbm_local_bytes"`
}

// Occupancy is the part of the cache in use, in bytes.
type Occupancy struct {
	LLC uint64 `json:"llc_occupancy"`
}

// ReadStats reads the statistics of a class of service (resctrl.rst describes the
// files). The counters are those of the monitoring group, or if monitor is empty, those
// of the class. If class is empty the result is empty.
func ReadStats(class, monitor string) (Stats, error) {
	var s Stats
	if class == "" {
		return s, nil
	}
	mount := filepath.Dir(class)
	if !exists(filepath.Join(mount, "info")) {
		mount = class // the default class
	}
	r := &reader{}
	if info := filepath.Join(mount, "info/L3"); exists(info) {
		s.L3Info = &L3Info{r.text(info + "/cbm_mask"), r.number(info + "/min_cbm_bits"), r.number(info + "/num_closids")}
	}
	if info := filepath.Join(mount, "info/MB"); exists(info) {
		s.MBInfo = &MBInfo{r.number(info + "/bandwidth_gran"), r.number(info + "/delay_linear"), r.number(info + "/min_bandwidth"), r.number(info + "/num_closids")}
	}
	s.L3SchemaRoot, s.MBSchemaRoot = r.schemata(mount)
	s.L3Schema, s.MBSchema = r.schemata(class)
	if monitor == "" {
		monitor = class
	}
	r.monitors(&s, monitor)
	return s, r.err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// reader stores the first error, other than that a file does not exist.
type reader struct{ err error }

func (r *reader) text(path string) string {
	b, err := sys.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && r.err == nil {
		r.err = err
	}
	return strings.TrimSpace(string(b))
}

// number returns 0 if the file has no number: "Unavailable", "Unassigned".
func (r *reader) number(path string) uint64 {
	n, _ := strconv.ParseUint(r.text(path), 10, 64)
	return n
}

func (r *reader) schemata(dir string) (l3, mb string) {
	for line := range strings.Lines(r.text(filepath.Join(dir, "schemata"))) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "L3:"):
			l3 = line
		case strings.HasPrefix(line, "MB:"):
			mb = line
		}
	}
	return l3, mb
}

func (r *reader) monitors(s *Stats, dir string) {
	domains, err := filepath.Glob(filepath.Join(dir, "mon_data/mon_L3_*"))
	if err != nil && r.err == nil {
		r.err = err
	}
	for _, d := range domains {
		if exists(d + "/llc_occupancy") {
			s.Occupancy = append(s.Occupancy, Occupancy{r.number(d + "/llc_occupancy")})
		}
		if exists(d+"/mbm_total_bytes") || exists(d+"/mbm_local_bytes") {
			s.Bandwidth = append(s.Bandwidth, Bandwidth{r.number(d + "/mbm_total_bytes"), r.number(d + "/mbm_local_bytes")})
		}
	}
}
