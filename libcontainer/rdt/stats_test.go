// SPDX-License-Identifier: Apache-2.0

package rdt

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestReadStats(t *testing.T) {
	mount := t.TempDir()
	for name, text := range map[string]string{
		"info/L3/cbm_mask": "fffff", "info/L3/min_cbm_bits": "1", "info/L3/num_closids": "16",
		"info/MB/bandwidth_gran": "10", "info/MB/delay_linear": "1", "info/MB/min_bandwidth": "10", "info/MB/num_closids": "8",
		"schemata":                             "    MB:0=100;1=100\n    L3:0=fffff;1=fffff",
		"web/schemata":                         "    MB:0=50;1=100\n    L3:0=f;1=fffff",
		"web/mon_data/mon_L3_00/llc_occupancy": "1",
		"web/mon_groups/web/mon_data/mon_L3_00/llc_occupancy":   "22",
		"web/mon_groups/web/mon_data/mon_L3_00/mbm_total_bytes": "33",
		"web/mon_groups/web/mon_data/mon_L3_00/mbm_local_bytes": "11",
		"web/mon_groups/web/mon_data/mon_L3_01/llc_occupancy":   "Unavailable",
	} {
		path := filepath.Join(mount, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const hardware = `"l3_cache_info":{"cbm_mask":"fffff","min_cbm_bits":1,"num_closids":16},"l3_cache_schema_root":"L3:0=fffff;1=fffff",`
	const bandwidth = `"mem_bw_info":{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8},"mem_bw_schema_root":"MB:0=100;1=100",`
	for _, c := range []struct{ class, monitor, want string }{
		{"", "", "{}"},
		{"/web", "/web/mon_groups/web", "{" + hardware + `"l3_cache_schema":"L3:0=f;1=fffff",` + bandwidth + `"mem_bw_schema":"MB:0=50;1=100",` +
			`"mbm_stats":[{"mbm_total_bytes":33,"mbm_local_bytes":11}],"cmt_stats":[{"llc_occupancy":22},{"llc_occupancy":0}]}`},
		{"/web", "", "{" + hardware + `"l3_cache_schema":"L3:0=f;1=fffff",` + bandwidth + `"mem_bw_schema":"MB:0=50;1=100","cmt_stats":[{"llc_occupancy":1}]}`},
		{"/.", "", "{" + hardware + `"l3_cache_schema":"L3:0=fffff;1=fffff",` + bandwidth + `"mem_bw_schema":"MB:0=100;1=100"}`},
	} {
		class, monitor := c.class, c.monitor
		if class != "" {
			class = filepath.Join(mount, class)
		}
		if monitor != "" {
			monitor = filepath.Join(mount, monitor)
		}
		s, err := ReadStats(class, monitor)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(s); err != nil || string(b) != c.want {
			t.Errorf("%q, %q: %v\n    %s\nwant %s", c.class, c.monitor, err, b, c.want)
		}
	}
}
