// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (s *settings) droppedIO(old, now *specs.LinuxBlockIO, v2 bool) {
	before, after := throttles(old), throttles(now)
	for i, t := range before {
		if after[i].list == nil {
			continue
		}
		kept := make(map[string]bool)
		for _, d := range after[i].list {
			kept[device(d.Major, d.Minor)] = true
		}
		for _, d := range t.list {
			key := device(d.Major, d.Minor)
			switch {
			case kept[key]:
			case v2:
				s.drop("blockIO."+t.field, "io.max", key+" "+t.key+"=max")
			default:
				s.drop("blockIO."+t.field, t.legacy, key+" 0")
			}
		}
	}
	if now.WeightDevice != nil {
		s.droppedWeights(old, now, v2)
	}
}

func (s *settings) droppedWeights(old, now *specs.LinuxBlockIO, v2 bool) {
	weight, leaf := make(map[string]bool), make(map[string]bool)
	for _, d := range now.WeightDevice {
		key := device(d.Major, d.Minor)
		weight[key] = weight[key] || d.Weight != nil && *d.Weight != 0
		leaf[key] = leaf[key] || d.LeafWeight != nil && *d.LeafWeight != 0
	}
	const field = "blockIO.weightDevice"
	for _, d := range old.WeightDevice {
		key := device(d.Major, d.Minor)
		none := key + " default"
		if d.Weight != nil && *d.Weight != 0 && !weight[key] {
			first, second := "io.bfq.weight", "io.weight"
			if !v2 {
				first, second = "blkio.bfq.weight_device", "blkio.weight_device"
			}
			s.drop(field, first, none).fallback = &setting{field: field, file: second, value: none, drop: true}
		}
		if d.LeafWeight != nil && *d.LeafWeight != 0 && !leaf[key] && !v2 {
			s.drop(field, "blkio.leaf_weight_device", none)
		}
	}
}

func (s *settings) droppedPages(old, named *specs.LinuxResources, v2 bool) {
	kept := make(map[string]bool)
	for _, h := range named.HugepageLimits {
		kept[h.Pagesize] = true
	}
	suffix, none := "limit_in_bytes", "-1"
	if v2 {
		suffix, none = "max", "max"
	}
	for _, h := range old.HugepageLimits {
		if !kept[h.Pagesize] && pageSize(h.Pagesize) {
			s.drop("hugepageLimits", "hugetlb."+h.Pagesize+"."+suffix, none)
			s.drop("hugepageLimits", "hugetlb."+h.Pagesize+".rsvd."+suffix, none)
		}
	}
}

func device(major, minor int64) string { return fmt.Sprintf("%d:%d", major, minor) }
