using System.Globalization;
using BenchmarkDotNet.Running;
using Nano;
using Nano.Bench;

// usage: Nano.Bench [full | quick | report | devices] [group ...] [--filter PARTS] [--threads N] [--device
// NAMES] [--out FOLDER]
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
        private static readonly string[] Commands = ["full", "quick", "report", "devices"];

        public static int Run(string[] args)
        {
            var options = new Dictionary<string, string>
            {
                ["--filter"] = "",
                ["--threads"] = "0",
                ["--device"] = "",
                ["--out"] = Path.Combine("bench", "results")
            };
            var words = new List<string>();
            for (int i = 0; i < args.Length; i++)
            {
                if (!args[i].StartsWith("--", StringComparison.Ordinal))
                    words.Add(args[i]);
                else if (!options.ContainsKey(args[i]) || i + 1 == args.Length)
                    throw new NanoException($"no option '{args[i]}', or its value is missing",
                        "options: --filter PARTS, --threads N, --device onnx-cpu,webgpu, --out FOLDER");
                else
                    options[args[i]] = args[++i];
            }
            if (!int.TryParse(options["--threads"], NumberStyles.None, CultureInfo.InvariantCulture, out int threads)
                || threads > 1024)
                throw new NanoException($"--threads takes a whole number up to 1024, got '{options["--threads"]}'");
            string command = words.Count > 0 && Commands.Contains(words[0]) ? words[0] : "full";
            string[] groups = [.. words.Skip(words.Count > 0 && words[0] == command ? 1 : 0)];
            foreach (string group in groups)
                if (!BenchCases.Groups.Contains(group))
                    throw new NanoException($"no command or group '{group}'",
                        $"commands: {string.Join(", ", Commands)}; groups: {string.Join(", ", BenchCases.Groups)}");
            var all = command == "devices"
                ? BenchCases.ForDevices().Where(of => groups.Length == 0 || groups.Contains(of.Group))
                : (groups.Length > 0 ? groups : BenchCases.Groups.Where(group => group != "quant")).SelectMany(BenchCases.Of);
            List<BenchCase> cases = [.. all.Where(of => of.Matches(options["--filter"]))];
            if (cases.Count == 0)
                throw new NanoException($"no case matches '{options["--filter"]}'");
            var providers = OrtProvider.Named(options["--device"]);
            switch (command)
            {
                case "quick": Quick(threads, cases, providers); break;
                case "report": Report(threads, cases, providers, options["--out"]); break;
                case "devices":
                    Devices(threads, cases,
                    providers.Count > 0 ? providers
                        : [.. ProviderProbe.Try().Where(tried => tried.Problem is null)
                            .Select(tried => tried.Provider)], options["--out"]); break;
                default: Full(threads, cases); break;
            }
            return 0;
        }

        /// <summary>BenchmarkDotNet over the cases, those with an untimed preparation in a second run.</summary>
        private static void Full(int threads, IReadOnlyList<BenchCase> cases)
        {
            Session.Start(threads, cases);
            Heading(Session.Compute, Session.Machine, Session.Peers.Descriptions);
            if (Cases.Entries.Any())
                BenchmarkRunner.Run<Cases>(new CaseConfig());
            if (PreparedCases.Entries.Any())
                BenchmarkRunner.Run<PreparedCases>(new CaseConfig());
        }

        /// <summary>Medians with peers taking turns, in minutes instead of hours.</summary>
        private static BenchPass Quick(int threads, IReadOnlyList<BenchCase> cases,
            IReadOnlyList<OrtProvider> providers)
        {
            using var compute = new Compute(threads);
            var machine = BenchCeilings.Measure(compute, cases);
            var peers = new Peers(compute.Threads);
            using var devices = new OnnxPeers(compute, providers);
            Heading(compute, machine, [.. peers.Descriptions, .. devices.Descriptions]);
            var pass = Final(compute, machine, Shown(QuickBench.Run(compute, machine, cases,
                (of, work) => peers.Of(of, work).Concat(devices.Of(of, work)))));
            foreach (string line in BenchResult.Summary(pass.Results)
                .Concat(devices.LeftOut.Select(line => "left out: " + line)))
                Console.WriteLine(line);
            return pass;
        }

        /// <summary>The results against the better of the ceilings at the start and at the end.</summary>
        private static BenchPass Final(Compute compute, Machine machine, IReadOnlyList<BenchResult> results)
        {
            (machine, results, var notes) = BenchCeilings.MeasureAgain(compute, machine, results);
            foreach (string line in notes)
                Console.WriteLine(line);
            return new BenchPass(compute.Threads, compute.Width, machine, results);
        }

        private static List<BenchResult> Shown(IEnumerable<BenchResult> results)
        {
            var all = new List<BenchResult>();
            foreach (var result in results)
            {
                all.Add(result);
                Console.WriteLine(result.Line());
            }
            return all;
        }

        /// <summary>The same cases on our kernels and on each device, written as Markdown with a figure.</summary>
        private static void Devices(int threads, IReadOnlyList<BenchCase> cases, IReadOnlyList<OrtProvider> providers,
            string folder)
        {
            using var compute = new Compute(threads);
            string before = Load();
            var machine = BenchCeilings.Measure(compute, cases);
            using var devices = new OnnxPeers(compute, providers);
            List<string> notes = [.. devices.Descriptions];
            Heading(compute, machine, notes);
            var pass = Final(compute, machine, Shown(QuickBench.Run(compute, machine, cases, devices.Of)));
            notes.Add($"load of the machine over the last minute: {before} at the start, {Load()} at the end, this "
                + $"program's own threads included; {Environment.ProcessorCount} processors");
            string cpu = Machine.CpuName(), name = CpuFamily.Here() + "-devices";
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, name + ".md"),
                DeviceReport.Markdown(cpu, name + ".svg", notes, pass, devices.LeftOut));
            File.WriteAllText(Path.Combine(folder, name + ".svg"),
                DeviceChart.Render($"{cpu}, {pass.Threads} thread{(pass.Threads == 1 ? "" : "s")}: ONNX Runtime's "
                + "time over Nano's", pass.Results));
            Console.WriteLine($"report   {Path.Combine(folder, name + ".md")}");
            Console.WriteLine($"figure   {Path.Combine(folder, name + ".svg")}");
        }

        private static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0]
            : "not known";

        /// <summary>
        /// One pass with one thread and one with all (or just one with --threads), written as
        /// Markdown with a roofline of the last.
        /// </summary>
        private static void Report(int threads, IReadOnlyList<BenchCase> cases, IReadOnlyList<OrtProvider> providers,
            string folder)
        {
            int all = Environment.ProcessorCount;
            int[] counts = threads > 0 ? [threads] : all > 1 ? [1, all] : [1];
            List<BenchPass> passes = [.. counts.Select(count => Quick(count, cases, providers))];
            string cpu = Machine.CpuName(), name = CpuFamily.Here();
            Directory.CreateDirectory(folder);
            var peers = counts.SelectMany(count => new Peers(count).Descriptions).Distinct();
            ResultsPage.Write(Path.Combine(folder, name + ".md"), ResultsPage.Cases,
                BenchReport.Markdown(cpu, name + ".svg", peers, passes));
            var shown = passes[^1];
            // gradients of the same sizes would lie on top
            var points = shown.Results.Where(result => result.Group != "gemm" || result.Name == "forward");
            File.WriteAllText(Path.Combine(folder, name + ".svg"),
                Roofline.Render(shown.Machine,
                    $"{cpu}, {shown.Threads} thread{(shown.Threads == 1 ? "" : "s")}, {shown.Width}", points));
            Console.WriteLine($"report   {Path.Combine(folder, name + ".md")}");
            Console.WriteLine($"figure   {Path.Combine(folder, name + ".svg")}");
        }

        private static void Heading(Compute compute, Machine machine, IEnumerable<string> peers)
        {
            Console.WriteLine(BenchCeilings.Describe(compute, machine));
            foreach (string line in peers)
                Console.WriteLine("peer: " + line);
        }
    }
}
