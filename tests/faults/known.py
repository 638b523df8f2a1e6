"""Findings of severity error that are right, each with the reason: in flows that ship, and in captures of others."""
FLOWS = {}
CAPTURES = {}
FOUND_ELSEWHERE = {}
