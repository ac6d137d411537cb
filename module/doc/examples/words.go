// SPDX-License-Identifier: GPL-2.0-only

// Counts the words in the device, like wc -w, with one goroutine per CPU that read
// a mapping, without copying.
//
// Usage: words
//
// Exit status: 0; 1 if the device was truncated meanwhile, or a call failed.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
)

const (
	device   = "/dev/mmapdemo"
	seekData = 3 // for lseek(2); package io lacks them
	seekHole = 4
	chunk    = 1 << 20
)

// The unit of work: bytes start to end of the mapping, in the extent of data that
// begins at extent.
type part struct{ extent, start, end int }

type result struct {
	words int
	err   error
}

// Sends the parts of all data. Holes are skipped: they contain no words, and to read
// them through a mapping, unlike read(2), would allocate their pages.
func parts(fd, size int, found chan<- part) error {
	defer close(found)
	for at := 0; at < size; {
		start, err := syscall.Seek(fd, int64(at), seekData)
		if errors.Is(err, syscall.ENXIO) || start >= int64(size) {
			return nil
		}
		if err != nil {
			return os.NewSyscallError("lseek", err)
		}
		end, err := syscall.Seek(fd, start, seekHole)
		if err != nil {
			return os.NewSyscallError("lseek", err)
		}
		// The device may have grown since it was mapped.
		if end > int64(size) {
			end = int64(size)
		}
		for at = int(start); at < int(end); {
			p := part{int(start), at, int(end)}
			if p.end-at > chunk {
				p.end = at + chunk
			}
			found <- p
			at = p.end
		}
		at = int(end)
	}
	return nil
}

func inWord(c byte) bool { return c > ' ' }

// A word counts in the part where it starts, which depends on the byte before the
// part. Before an extent there is a hole, which is not read.
func count(text []byte, p part) (r result) {
	// If the device is truncated while we read, SIGBUS is raised. Go would end
	// the program; with this it panics in this goroutine, with the address, and
	// we can recover.
	debug.SetPanicOnFault(true)
	defer func() {
		if caught := recover(); caught != nil {
			fault, ok := caught.(interface{ Addr() uintptr })
			if !ok {
				panic(caught)
			}
			r.err = fmt.Errorf("the page at address %#x is gone", fault.Addr())
		}
	}()
	before := p.start > p.extent && inWord(text[p.start-1])
	for _, c := range text[p.start:p.end] {
		now := inWord(c)
		if now && !before {
			r.words++
		}
		before = now
	}
	return r
}

func countAll(fd int, text []byte) (words int, err error) {
	var workers sync.WaitGroup
	work := make(chan part)
	results := make(chan result)

	for i := 0; i < runtime.NumCPU(); i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for p := range work {
				results <- count(text, p)
			}
		}()
	}
	go func() {
		// When parts() ends, the workers end, and then the results.
		if err := parts(fd, len(text), work); err != nil {
			results <- result{err: err}
		}
		workers.Wait()
		close(results)
	}()
	for r := range results {
		words += r.words
		if r.err != nil {
			err = r.err
		}
	}
	return words, err
}

func run() error {
	file, err := os.Open(device)
	if err != nil {
		return err
	}
	defer file.Close()
	fd := int(file.Fd())
	// Not file.Stat(): the size it returns is 0 for a character device.
	size, err := syscall.Seek(fd, 0, os.SEEK_END)
	if err != nil {
		return os.NewSyscallError("lseek", err)
	}
	if int64(int(size)) != size {
		return errors.New("the device is too large to be mapped at once")
	}
	text, err := syscall.Mmap(fd, 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	defer syscall.Munmap(text)
	words, err := countAll(fd, text)
	if err == nil {
		_, err = fmt.Println(words)
	}
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(1)
	}
}
