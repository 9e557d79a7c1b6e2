// The text of faults, and what becomes of them: an exception, or a line and on it goes.
#include <cstdarg>
#include <cstdio>
#include <set>

#include "machine.h"

namespace ptxsim {
namespace {

std::set<std::pair<const Instruction*, std::string>> g_told;
int g_reports = 0;
std::string g_report_text;

std::string FormatList(const char* format, va_list args) {
  va_list again;
  va_copy(again, args);
  std::string text(vsnprintf(nullptr, 0, format, again), '\0');
  va_end(again);
  vsnprintf(&text[0], text.size() + 1, format, args);
  return text;
}

}  // namespace

std::string Format(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::string text = FormatList(format, args);
  va_end(args);
  return text;
}

void Fatal(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::string text = FormatList(format, args);
  va_end(args);
  throw Fault(text);
}

std::string Where(const Thread& t, const Instruction* in) {
  std::string text =
      Format("kernel %s block (%u,%u,%u) thread (%u,%u,%u) PTX line %d: %s",
             t.block->launch->kernel->name.c_str(), t.block->id[0], t.block->id[1], t.block->id[2],
             t.tid[0], t.tid[1], t.tid[2], in->ptx_line, in->text.c_str());
  if (in->source_line) {
    const auto& files = t.block->launch->module->files;
    auto file = files.find(in->file);
    text += "\n  source " + (file == files.end() ? std::string("?") : file->second) + ":" +
            std::to_string(in->source_line);
  }
  return text;
}

void Report(const Thread& t, const Instruction* in, const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::string text = FormatList(format, args) + "\n  in " + Where(t, in);
  va_end(args);
  if (!CurrentOptions().keep_going) throw Fault(text);
  // Once for each kind of fault and place: a fault tends to come back in every thread.
  if (g_told.insert({in, format}).second) {
    fprintf(stderr, "ptxsim: %s\n", text.c_str());
    g_report_text += text + "\n";
  }
  ++g_reports;
}

int TakeReports(std::string* text) {
  int reports = g_reports;
  *text = g_report_text;
  g_reports = 0;
  g_report_text.clear();
  return reports;
}

}  // namespace ptxsim
