using System.Globalization;
using System.Runtime.InteropServices;
using Nano;
using Nano.Peers;

// usage: Peers [--filter PARTS] [--quick] [--threads N,N] [--out FOLDER]; Peers work TASK is Nano as a contender.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["work", .. var task])
    return WorkProcess.Serve(task, NanoWork.Create);
try
{
    return PeerBench.Run(args);
}
catch (NanoException e)
{
    Console.Error.WriteLine($"error: {e.Message}{(e.Hint is null ? "" : $"\nhint: {e.Hint}")}");
    return 1;
}

namespace Nano.Peers
{
    /// <summary>All comparisons, one after another, and their page.</summary>
    internal static class PeerBench
    {
        private const int Turns = 7, QuickTurns = 3;

        public static int Run(string[] args)
        {
            string Option(string name, string fallback) =>
                Array.IndexOf(args, name) is var at && at < 0 ? fallback : at + 1 < args.Length ? args[at + 1]
                    : throw new NanoException($"{name} needs a value");
            string filter = Option("--filter", ""), folder = Option("--out", Path.Combine("bench", "results"));
            int all = Environment.ProcessorCount;
            int[] threads = [.. Option("--threads", all > 1 ? $"1,{Math.Min(2, all)}" : "1").Split(',').Select(Count)];
            int turns = args.Contains("--quick") ? QuickTurns : Turns;
            string files = Directory.CreateTempSubdirectory("nano-peers-").FullName;
            // Ctrl+C goes to the contenders as well; what is left to do is to delete a gigabyte of models
            using var unfinished = UnfinishedFiles.Add(() => Directory.Delete(files, recursive: true));
            using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Clean);
            using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Clean);
            try
            {
                Comparison[] chosen = [.. Comparisons.All(threads, files).Where(of => filter.Split(',').All(
                    part => of.ToString().Contains(part.Trim(), StringComparison.OrdinalIgnoreCase)))];
                if (chosen.Length == 0)
                    throw new NanoException($"no comparison matches '{filter}'");
                ModelFiles.Write(files, chosen.Where(of => of.Group == "text")
                    .Select(of => Path.GetFileName(of.Task[1])).ToHashSet());
                var run = new PeerRun(turns);
                var started = DateTime.UtcNow;
                string before = Load();
                run.Measure(chosen);
                string family = CpuFamily.Here();
                string page = Page.Markdown(family, new Conditions(started, turns, (before, Load()),
                    string.Join(' ', args)), run.About, run.Results, run.LeftOut);
                if (filter.Length > 0) // a part would take the place of the whole
                    return run.Failures;
                Directory.CreateDirectory(folder);
                string path = Path.Combine(folder, family + ".md");
                ResultsPage.Write(path, ResultsPage.Peers, page);
                Console.WriteLine($"page     {path}");
                return run.Failures;
            }
            finally
            {
                Directory.Delete(files, recursive: true);
            }
        }

        private static void Clean(PosixSignalContext signal) => UnfinishedFiles.DeleteAllAndHold();

        private static int Count(string text) => int.TryParse(text, NumberStyles.None, null, out int count) && count > 0
            ? count : throw new NanoException($"--threads takes numbers from 1, got '{text}'");

        private static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0]
            : "not known";
    }

    /// <summary>Comparisons one after another; a contender that does not load is left out with its reason.</summary>
    internal sealed class PeerRun(int turns)
    {
        private readonly Dictionary<Peer, string?> programs = [];

        public List<Measured> Results { get; } = [];

        public SortedSet<string> About { get; } = new(StringComparer.Ordinal);

        public List<string> LeftOut { get; } = [];

        /// <summary>1 if two contenders computed different things, else 0: an exit code.</summary>
        public int Failures { get; private set; }

        public void Measure(IEnumerable<Comparison> comparisons)
        {
            string own = Environment.ProcessPath!;
            foreach (var of in comparisons)
                try
                {
                    if (Program(of.Peer) is not { } file)
                        continue;
                    if (of.Group == "tokens" && !File.Exists(ModelFiles.Corpus))
                        throw new PeerException($"there is no {ModelFiles.Corpus}; `nano data shakespeare` makes it, "
                            + "`NANO_DATA` names the folder");
                    Results.Add(Turns.Run(of, own, file, turns, About));
                    Console.WriteLine(Page.Line(Results[^1]));
                }
                catch (PeerException e)
                {
                    Note($"{of}: {e.Message}");
                }
                catch (NanoException e)
                {
                    Note($"WRONG: {e.Message}");
                    Failures = 1;
                }
        }

        /// <summary>The program of a peer, built when it is first wanted; null if that has failed.</summary>
        private string? Program(Peer peer)
        {
            if (programs.TryGetValue(peer, out string? file))
                return file;
            try
            {
                Console.WriteLine($"building {peer.Name} (the first time it is downloaded)");
                return programs[peer] = peer.Build();
            }
            catch (PeerException e)
            {
                Note($"{peer.Name}: {e.Message}");
                return programs[peer] = null;
            }
        }

        private void Note(string line)
        {
            LeftOut.Add(line);
            Console.WriteLine("left out: " + line);
        }
    }
}
