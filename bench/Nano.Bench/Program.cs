using System.Globalization;
using BenchmarkDotNet.Running;
using Nano;
using Nano.Bench;

// usage: Nano.Bench [full | quick | report] [group ...] [--filter PARTS] [--threads N] [--out FOLDER]
try
{
    return Bench.Run(args);
}
catch (NanoException e)
{
    Console.Error.WriteLine($"error: {e.Message}{(e.Hint is null ? "" : $"\nhint: {e.Hint}")}");
    return 1;
}

namespace Nano.Bench
{
    internal static class Bench
    {
        private static readonly string[] Commands = ["full", "quick", "report"];

        public static int Run(string[] args)
        {
            var options = new Dictionary<string, string> { ["--filter"] = "", ["--threads"] = "0", ["--out"] = Path.Combine("bench", "results") };
            var words = new List<string>();
            for (int i = 0; i < args.Length; i++)
            {
                if (!args[i].StartsWith("--", StringComparison.Ordinal))
                    words.Add(args[i]);
                else if (!options.ContainsKey(args[i]) || i + 1 == args.Length)
                    throw new NanoException($"no option '{args[i]}', or its value is missing", "options: --filter PARTS, --threads N, --out FOLDER");
                else
                    options[args[i]] = args[++i];
            }
            if (!int.TryParse(options["--threads"], NumberStyles.None, CultureInfo.InvariantCulture, out int threads) || threads > 1024)
                throw new NanoException($"--threads takes a whole number up to 1024, got '{options["--threads"]}'");
            string command = words.Count > 0 && Commands.Contains(words[0]) ? words[0] : "full";
            string[] groups = [.. words.Skip(words.Count > 0 && words[0] == command ? 1 : 0)];
            foreach (string group in groups)
                if (!BenchCases.Groups.Contains(group))
                    throw new NanoException($"no command or group '{group}'", $"commands: {string.Join(", ", Commands)}; groups: {string.Join(", ", BenchCases.Groups)}");
            List<BenchCase> cases = [.. (groups.Length > 0 ? groups : BenchCases.Groups).SelectMany(BenchCases.Of).Where(of => of.Matches(options["--filter"]))];
            if (cases.Count == 0)
                throw new NanoException($"no case matches '{options["--filter"]}'");
            switch (command)
            {
                case "quick": Quick(threads, cases); break;
                case "report": Report(threads, cases, options["--out"]); break;
                default: Full(threads, cases); break;
            }
            return 0;
        }

        /// <summary>BenchmarkDotNet over the cases, those with an untimed preparation in a second run.</summary>
        private static void Full(int threads, IReadOnlyList<BenchCase> cases)
        {
            Session.Start(threads, cases);
            Heading(Session.Compute, Session.Machine, Session.Peers);
            if (Cases.Entries.Any())
                BenchmarkRunner.Run<Cases>(new CaseConfig());
            if (PreparedCases.Entries.Any())
                BenchmarkRunner.Run<PreparedCases>(new CaseConfig());
        }

        /// <summary>Medians with peers taking turns, in minutes instead of hours.</summary>
        private static BenchPass Quick(int threads, IReadOnlyList<BenchCase> cases)
        {
            using var compute = new Compute(threads);
            var machine = Machine.Measure(compute);
            var peers = new Peers(compute.Threads);
            Heading(compute, machine, peers);
            var results = new List<BenchResult>();
            foreach (var result in QuickBench.Run(compute, machine, cases, peers.Of))
            {
                results.Add(result);
                Console.WriteLine(result.Line());
            }
            foreach (string line in BenchResult.Summary(results))
                Console.WriteLine(line);
            return new BenchPass(compute.Threads, compute.Width, machine, results);
        }

        /// <summary>One pass with one thread and one with all (or just one with --threads), written as Markdown with a roofline of the last.</summary>
        private static void Report(int threads, IReadOnlyList<BenchCase> cases, string folder)
        {
            int all = Environment.ProcessorCount;
            int[] counts = threads > 0 ? [threads] : all > 1 ? [1, all] : [1];
            List<BenchPass> passes = [.. counts.Select(count => Quick(count, cases))];
            string cpu = Machine.CpuName(), name = BenchReport.FileName(cpu);
            Directory.CreateDirectory(folder);
            var peers = counts.SelectMany(count => new Peers(count).Descriptions).Distinct();
            File.WriteAllText(Path.Combine(folder, name + ".md"), BenchReport.Markdown(cpu, name + ".svg", peers, passes));
            var shown = passes[^1];
            var points = shown.Results.Where(result => result.Group != "gemm" || result.Name == "forward"); // gradients of the same sizes would lie on top
            File.WriteAllText(Path.Combine(folder, name + ".svg"), Roofline.Render(shown.Machine, $"{cpu}, {shown.Threads} thread{(shown.Threads == 1 ? "" : "s")}, {shown.Width}", points));
            Console.WriteLine($"report   {Path.Combine(folder, name + ".md")}");
            Console.WriteLine($"figure   {Path.Combine(folder, name + ".svg")}");
        }

        private static void Heading(Compute compute, Machine machine, Peers peers)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{Machine.CpuName()}, {compute.Threads} threads, SIMD {compute.Width}: peak {machine.PeakGflops:F0} GFLOP/s, read {machine.ReadGigabytesPerSecond:F0} GB/s, triad {machine.TriadGigabytesPerSecond:F0} GB/s"));
            foreach (string line in peers.Descriptions)
                Console.WriteLine("peer: " + line);
        }
    }
}
